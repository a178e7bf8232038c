"""`parley verify`: whether the tables are what the log says."""

from dataclasses import asdict
from typing import Annotated

import typer

from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.phase_progress import PhaseProgress
from parley.cli.running import run
from parley.cli.wording import counted
from parley.rebuilding.verify import Scope, Verified
from parley.rebuilding.verify import verify as verify_tables
from parley.settings import Settings

_COLUMNS = ("kind", "table", "row", "columns")


def verify(
    seals: Annotated[
        bool, typer.Option("--seals", help="Only what the sealer decided, in every fact.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, max=10_000, help="The most differences to name, a table.")
    ] = 10,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare the tables with the log, and name the first rows that differ, by their ids.

    Replays the log into a schema of its own, up to where the live tables stand, and compares
    every row; also every seal of the topic with what the events give. The services may run. It
    needs as much disk again as the tables take, until it is done.

    With --seals the events go through the sealer alone, which is quicker: every segment, revision,
    cause, bound, count and digest is compared with the seals topic, and the topic with the tables.

    Exit status 1 where something differs, 0 where nothing does.

    Try:

        parley verify --seals

        parley verify -o json
    """
    scope = Scope.SEALS if seals else Scope.EVERYTHING
    with PhaseProgress() as progress:
        verified = run(verify_tables(Settings.load(), progress, limit, scope))
    if verified.differences or output is not Output.TABLE:
        print_rows(output, [asdict(one) for one in verified.differences], _COLUMNS)
    say(_summary(verified))
    for sentence in verified.not_compared:
        say(sentence)
    if verified.differences:
        raise typer.Exit(1)


def _summary(verified: Verified) -> str:
    found = "Nothing differs" if not verified.differences else "The tables and the log differ"
    read = f"{verified.records:,} records replayed in {verified.seconds:.1f} s"
    behind = counted(verified.behind, "record")
    standing = (
        f" The tables are {behind} behind the log, and were compared as of where they stand."
        if verified.behind
        else ""
    )
    return f"{found}: {read}, {verified.seals_compared:,} seals compared.{standing}"
