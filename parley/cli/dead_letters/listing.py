"""`parley dead-letters list`: what could not be used, newest first."""

from typing import Annotated, Final

import typer

from parley.cli.dead_letters.choosing import (
    Choice,
    ReasonOption,
    Row,
    ServiceOption,
    SinceOption,
    Standing,
    TopicOption,
    UntilOption,
    choice,
    choose,
    only,
    summary,
)
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.settings import Settings

_COLUMNS: Final = (
    *("id", "reason", "detail", "service", "topic", "partition", "offset"),
    *("tenant", "conversation", "bytes", "dead_lettered_at", "state"),
)


def list_letters(
    *,
    reason: ReasonOption = None,
    service: ServiceOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    state: Annotated[Standing, typer.Option(help="What was done about them.")] = Standing.OPEN,
    limit: Annotated[int, typer.Option("-n", min=1, help="At most so many.")] = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the records that could not be used, newest first, without their content.

    Try:

        parley dead-letters list --reason id_conflict --since 7d

        parley dead-letters list --state all -o json
    """
    settings = Settings.load()
    chosen = only(choice(settings, None, reason, service, topic, since, until), state)
    rows = run(_read(settings, chosen, limit))
    if not rows and output is Output.TABLE:
        say("There are none.")
        return
    print_rows(output, [summary(row) for row in rows], _COLUMNS)
    if rows and rows[0]["chosen_count"] > len(rows):
        say(f"{rows[0]['chosen_count'] - len(rows):,} older ones are not shown: -n shows more.")


async def _read(settings: Settings, chosen: Choice, limit: int) -> list[Row]:
    async with connection_pool(settings) as pool:
        return await choose(pool, chosen, limit=limit, newest_first=True)
