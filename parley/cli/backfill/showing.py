"""`parley backfill show`: one run, once or until it is over."""

from typing import Annotated

import typer

from parley.backfilling import runs
from parley.backfilling.runs import Progress
from parley.cli.backfill.findings import COLUMNS, counts_of
from parley.cli.backfill.naming import RunArgument, find
from parley.cli.backfill.watching import facts, sentences, watch
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.running import run
from parley.settings import Settings


def show(
    backfill: RunArgument,
    *,
    is_watched: Annotated[
        bool, typer.Option("--watch", "-w", help="Stay until it is over.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show what a backfill has found, and what became of its jobs.

    With --watch the exit status is 1 where it was cancelled or stopped.

    Examples: parley backfill show 3f2a

    parley backfill show 3f2a --watch
    """
    settings = Settings.load()
    found = run(_read(settings, backfill))
    if is_watched:
        watch(settings, found.run.id, output)
    elif output is not Output.TABLE:
        print_data(output, facts(found))
    else:
        _print(found)


async def _read(settings: Settings, beginning: str) -> Progress:
    async with connection_pool(settings) as pool:
        (found,) = await runs.progress(pool, [await find(pool, beginning)])
        return found


def _print(found: Progress) -> None:
    rows = [
        {
            "pass": one.name,
            "version": one.version,
            **counts_of(found.tally.by_pass.get(one.name, {})),
            "jobs": sum(found.by_pass.get(one.name, {}).values()),
        }
        for one in found.run.passes
    ]
    print_rows(Output.TABLE, rows, COLUMNS)
    for sentence in sentences(found):
        say(sentence)
