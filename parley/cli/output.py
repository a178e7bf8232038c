"""How commands print: data on stdout as a table, JSON or YAML, everything else on stderr."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Final

import orjson
import typer
from rich import control
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from parley.cli.visible import STEERING, in_json
from parley.cli.yaml_text import yaml_text
from parley.errors import UserError

# Files and pipes have no width, and need not be narrow.
_FILE_COLUMNS: Final = 160
# Numbers that name something are copied into other commands, so nothing parts their digits.
_NAMING_NUMBERS: Final = frozenset(("pid", "partition", "next_offset", "end_offset"))

# Of every text Rich takes some out, and leaves the one that all sequences begin with.
control._CONTROL_STRIP_TRANSLATE.update(STEERING)

stdout: Final = Console(
    highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else _FILE_COLUMNS
)
stderr: Final = Console(stderr=True, highlight=False, soft_wrap=True)


class Output(StrEnum):
    """The forms in which data is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


OutputOption = Annotated[
    Output, typer.Option("--output", "-o", help="A table for people, JSON or YAML for programs.")
]


def print_data(output: Output, value: Any) -> None:
    """Print a value whole, as indented JSON or as YAML; times as ISO 8601."""
    if output is Output.YAML:
        typer.echo(yaml_text(value), nl=False)
    else:
        written = orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str)
        typer.echo(in_json(written.decode()))


def print_item(output: Output, value: Any) -> None:
    """Print one of many values that come one by one: a line of JSON, or a YAML document."""
    if output is Output.YAML:
        typer.echo(f"---\n{yaml_text(value)}", nl=False)
    else:
        typer.echo(in_json(orjson.dumps(value, default=str).decode()))


def print_rows(output: Output, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Print rows: all their entries as data, or the named ones as a table."""
    if output is Output.TABLE:
        stdout.print(table_of(rows, columns))
    else:
        print_data(output, [dict(row) for row in rows])


def table_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str = "") -> Table:
    """A table of the named entries, without columns that are empty; numbers are on the right."""
    table = Table(title=title or None, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    shown = [
        one for one in columns if not rows or any(row.get(one) not in (None, "") for row in rows)
    ]
    for column in shown:
        is_number = any(isinstance(row.get(column), int | float) for row in rows)
        table.add_column(
            column.replace("_", " "),
            justify="right" if is_number else "left",
            # Names are to be copied from here, so they are never cut short.
            no_wrap=column == columns[0],
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(_cell(column, row.get(column)) for column in shown))
    return table


def _cell(column: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    is_amount = isinstance(value, int) and column not in _NAMING_NUMBERS
    return f"{value:,}" if is_amount else escape(str(value))


def say(sentence: str) -> None:
    """Tell the person something that is not data."""
    stderr.print(escape(sentence))


def say_error(error: UserError) -> None:
    """Print what is wrong, and what to do."""
    stderr.print(f"[bold red]error:[/] {escape(error.problem)}")
    if error.remedy:
        stderr.print(escape(error.remedy))
