"""`parley dead-letters discard`: notes who does not want them any more, and why."""

from typing import Annotated, Any, Final

import typer

from parley.cli.config_topic import who
from parley.cli.dead_letters.choosing import (
    SQL,
    Choice,
    Ids,
    ReasonOption,
    ServiceOption,
    SinceOption,
    TopicOption,
    UntilOption,
    choice,
    choose,
    count,
    summary,
)
from parley.cli.dead_letters.deciding import confirm, require_choice
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.cli.wording import counted
from parley.errors import UserError
from parley.settings import Settings

_PAGE: Final = 1_000
_COLUMNS: Final = ("id", "reason", "topic", "tenant", "conversation", "result")


def discard(
    ids: Ids = None,
    *,
    why: Annotated[str, typer.Option(help="Why nobody wants them; it is kept with them.")],
    reason: ReasonOption = None,
    service: ServiceOption = None,
    topic: TopicOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are open.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which ones.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Mark dead letters as not wanted.

    The persister deletes them later (PARLEY_PERSISTER_DISCARDED_KEPT, 28 days). Until then
    `parley dead-letters redrive ID --force` still brings one back.

    Try:

        parley dead-letters discard 12 13 --why "a test of the load balancer"

        parley dead-letters discard --reason id_conflict --until 7d --why "old clients" --dry-run
    """
    if not why.strip():
        raise UserError("--why is empty.", "Say why nobody wants them.")
    settings = Settings.load()
    chosen = choice(settings, ids, reason, service, topic, since, until)
    require_choice(chosen, everything=everything)
    rows = run(_discard(settings, chosen, why.strip(), is_dry=dry_run, is_agreed=yes))
    if rows or output is not Output.TABLE:
        print_rows(output, rows, _COLUMNS)
    done = sum(row["result"] != "was discarded already" for row in rows)
    say(f"{counted(done, 'dead letter')} {'would be discarded' if dry_run else 'discarded'}.")


async def _discard(
    settings: Settings, chosen: Choice, why: str, *, is_dry: bool, is_agreed: bool
) -> list[dict[str, Any]]:
    async with connection_pool(settings) as pool:
        confirm("Discard", await count(pool, chosen), chosen, is_agreed=is_agreed or is_dry)
        found: list[dict[str, Any]] = []
        after_id = 0
        while rows := await choose(pool, chosen, limit=_PAGE, after_id=after_id):
            after_id = rows[-1]["id"]
            ids = [row["id"] for row in rows]
            marked = ids if is_dry else await _mark(pool, ids, why)
            found += [{**summary(row), "result": _result(row, marked, is_dry)} for row in rows]
        return found


async def _mark(pool: Any, ids: list[int], why: str) -> list[int]:
    return [row["id"] for row in await pool.fetch(SQL["mark_discarded"], ids, who(), why)]


def _result(row: Any, marked: list[int], is_dry: bool) -> str:
    if row["discarded_at"] is not None or row["id"] not in marked:
        return "was discarded already"
    return "ready" if is_dry else "discarded"
