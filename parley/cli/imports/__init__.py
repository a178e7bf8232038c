"""`parley import`: bring old conversations in through the log."""

import typer

from parley.cli.imports.csv_file import csv
from parley.cli.imports.jsonl_file import jsonl
from parley.cli.imports.sql_tables import sql

app = typer.Typer(help="Bring old conversations in, through the log.", no_args_is_help=True)
app.command()(jsonl)
app.command()(csv)
app.command()(sql)
