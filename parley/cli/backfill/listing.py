"""`parley backfill list`: the runs, newest first."""

from typing import Annotated, Any, Final

import typer

from parley.backfilling import runs
from parley.backfilling.runs import Progress
from parley.cli.backfill.watching import facts, waits
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.running import run
from parley.settings import Settings

_COLUMNS: Final = (
    *(
        "id",
        "state",
        "passes",
        "read",
        "jobs",
        "verdicts",
        "failed",
        "parked",
        "by",
        "created_at",
        "reason",
    ),
)
_ALL: Final = 100.0


def list_runs(
    *,
    limit: Annotated[int, typer.Option("-n", min=1, max=1_000, help="At most so many.")] = 20,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the backfills, newest first."""
    found = run(_read(Settings.load(), limit))
    if output is not Output.TABLE:
        print_data(output, [facts(one) for one in found])
    elif found:
        print_rows(output, [row_of(one) for one in found], _COLUMNS)
    else:
        say("There are none.")


async def _read(settings: Settings, limit: int) -> list[Progress]:
    async with connection_pool(settings) as pool:
        return await runs.progress(pool, await runs.runs(pool, limit=limit))


def row_of(found: Progress) -> dict[str, Any]:
    """A line of the table."""
    one = found.run
    share = _ALL * found.passed / found.total if found.total else _ALL
    return {
        "id": one.id,
        "state": one.state.value,
        "passes": ", ".join(f"{each.name}@{each.version}" for each in one.passes),
        "read": "" if one.prepared_at is None else f"{share:.0f} %",
        "jobs": one.enqueued_count,
        "verdicts": found.jobs.get("verdict", 0),
        "failed": found.jobs.get("failed", 0) or None,
        "parked": found.parked or None,
        "by": one.started_by,
        "created_at": one.created_at,
        "reason": one.reason or ", ".join([*waits(found), *sorted(found.parked_because)]),
    }
