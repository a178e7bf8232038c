"""`parley db`: bring the database's tables to this release's."""

from typing import Any

import typer

from parley.cli.logins import logins_app, roles_app
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.db import migrations
from parley.db.migrations import SchemaVersion
from parley.settings import Settings

app = typer.Typer(help="Create and upgrade the database's tables.", no_args_is_help=True)

app.add_typer(roles_app, name="roles")
app.add_typer(logins_app, name="logins")

_COLUMNS = ("current", "newest", "state")


@app.command()
def upgrade(output: OutputOption = Output.TABLE) -> None:
    """Bring the tables, views and policies to this release's; does nothing when they are.

    Example: DATABASE_URL=postgresql://parley:…@db:5432/parley parley db upgrade
    """
    print_rows(output, [_row(run(migrations.upgrade(Settings.load())))], _COLUMNS)


@app.command()
def status(output: OutputOption = Output.TABLE) -> None:
    """Show which revision the tables have; exit status 1 when it is not the newest.

    Example: parley db status -o json
    """
    version = run(migrations.version(Settings.load()))
    print_rows(output, [_row(version)], _COLUMNS)
    if not version.is_newest:
        say("Bring the tables up to date with `parley db upgrade`.")
        raise typer.Exit(1)


def _row(version: SchemaVersion) -> dict[str, Any]:
    return {
        "current": version.current or "none",
        "newest": version.newest,
        "state": "up to date" if version.is_newest else "behind",
    }
