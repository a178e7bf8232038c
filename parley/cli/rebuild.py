"""`parley rebuild`: the tables anew from the log, while everything goes on."""

from typing import Annotated

import typer

from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.running import run
from parley.rebuilding.rebuild import Rebuilt
from parley.rebuilding.rebuild import rebuild as rebuild_tables
from parley.settings import Settings

_COLUMNS = (
    "records",
    "seconds",
    "records_per_second",
    "seals_compared",
    "left_to_publish",
    "held_seconds",
)


def rebuild(
    is_anew: Annotated[
        bool,
        typer.Option("--anew", help="Begin at offset 0 although an earlier call got further."),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make the tables anew from the log, beside the live ones, and swap them in.

    The services may run, and go on without a restart; they stand still for a moment at the swap.
    An empty database is filled in the same way. The tables of the schema `operations` (jobs) are
    not touched, so no pass is run again. Ctrl-C or a crash leaves the live tables as they are,
    and the next call goes on where this one was.

    Nothing is changed, with exit status 1, where the log does not begin at offset 0, or where the
    seals topic holds a decision that the events do not give.

    Example: parley rebuild
    """
    with PhaseProgress() as progress:
        rebuilt = run(rebuild_tables(Settings.load(), progress, is_anew=is_anew))
    print_rows(output, [_row(rebuilt)], _COLUMNS)
    say("The tables are rebuilt. See with `parley status` that everybody goes on.")


def _row(rebuilt: Rebuilt) -> dict[str, object]:
    rate = round(rebuilt.records / rebuilt.seconds) if rebuilt.seconds else 0
    return {
        "records": rebuilt.records,
        "seconds": round(rebuilt.seconds, 1),
        "records_per_second": rate,
        "seals_compared": rebuilt.seals_compared,
        "left_to_publish": rebuilt.left_to_publish,
        "held_seconds": round(rebuilt.held_seconds, 2),
    }
