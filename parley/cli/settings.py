"""`parley settings`: which settings are in force, and from where each has its value."""

import subprocess
from enum import StrEnum
from typing import Annotated, Any, Final

import orjson
import typer

from parley.cli.output import Output, OutputOption, print_data, say, stdout, table_of
from parley.local import environment

MODULE: Final = "services.settings"
_COLUMNS: Final = ("variable", "value", "source", "expected")


class Service(StrEnum):
    """Whose settings."""

    GATEWAY = "gateway"
    PERSISTER = "persister"
    SEALER = "sealer"
    ANALYZER = "analyzer"
    ACTIVITY = "activity"


def settings(
    service: Annotated[
        Service | None, typer.Argument(help="Only this one's own, beside those of every service.")
    ] = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only those that are not as by default.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the settings in force and from where they are; exit status 1 when one is wrong.

    It reads what a service started here would read: the environment, then the running local
    stack. Secrets are masked. docs/configuration.md lists what each setting means.

    Example: PARLEY_GATEWAY_ACCESS=on parley settings gateway --changed
    """
    child = subprocess.run(environment.python_module(MODULE), check=False, stdout=subprocess.PIPE)
    if child.returncode:
        raise typer.Exit(child.returncode)
    found: dict[str, list[dict[str, Any]]] = orjson.loads(child.stdout)
    chosen = {
        name: [row for row in rows if not changed or row["source"] != "default"]
        for name, rows in found.items()
        if service is None or name in (service, next(iter(found)))
    }
    if output is not Output.TABLE:
        print_data(output, chosen)
        return
    if not any(chosen.values()):
        say("All settings are as by default.")
    for name, rows in chosen.items():
        if rows:
            stdout.print(table_of(rows, _COLUMNS, name))
