"""`parley backfill pause|resume|cancel`: said to the analyzers, who carry it out."""

from typing import Annotated, Final

import typer

from parley.backfilling import runs
from parley.backfilling.request import MICRO, MOST_USD
from parley.backfilling.runs import Act
from parley.cli.backfill.naming import RunArgument, find
from parley.cli.config_topic import who
from parley.cli.facts import connection_pool
from parley.cli.output import say
from parley.cli.running import run
from parley.errors import UserError
from parley.settings import Settings

_DONE: Final = {
    Act.PAUSE: "is paused. What is at work now is finished; `parley backfill resume` goes on.",
    Act.RESUME: "goes on.",
    Act.CANCEL: "is being cancelled: jobs that wait are ended, and what is at work may still land.",
}


def pause(backfill: RunArgument) -> None:
    """Let a backfill stand still: it makes no jobs, and those that wait are not run."""
    run(_act(Settings.load(), backfill, Act.PAUSE))


def resume(
    backfill: RunArgument,
    *,
    budget: Annotated[
        float | None,
        typer.Option(
            min=0.000001, max=MOST_USD, help="At most so many US dollars in all from now on."
        ),
    ] = None,
) -> None:
    """Let a paused backfill go on where it stood; what it has spent counts in its budget."""
    run(_act(Settings.load(), backfill, Act.RESUME, budget))


def cancel(backfill: RunArgument) -> None:
    """End a backfill: jobs that wait are cancelled, and another backfill may make them again."""
    run(_act(Settings.load(), backfill, Act.CANCEL))


async def _act(
    settings: Settings, beginning: str, wanted: Act, budget_usd: float | None = None
) -> None:
    async with connection_pool(settings) as pool:
        found = await find(pool, beginning)
        budget = None if budget_usd is None else round(budget_usd * MICRO)
        if not await runs.act(pool, found.id, wanted, who(), budget):
            raise UserError(
                f"Backfill {found.id} is {found.state.value}, so there is nothing to "
                f"{wanted.value}.",
                "See `parley backfill list`.",
            )
        say(f"Backfill {found.id} {_DONE[wanted]}")
