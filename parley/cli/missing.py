"""`parley missing`: which segments lack which verdict, and why."""

from typing import Annotated, Any, Final

import typer

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.cli.verdicts.options import (
    DEFAULT_TENANT,
    ConversationOption,
    TenantOption,
    since_of,
)
from parley.results.coverage import Lacking, missing
from parley.settings import Settings

_COLUMNS: Final = ("conversation", "segment", "revision", "pass", "why", "detail")


def show_missing(
    *,
    conversation: ConversationOption = None,
    wanted: Annotated[
        str | None, typer.Option("--pass", "-p", help="Only this one's, by its name.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Segments that ended then or later: a time, or how long ago.")
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Also verdicts that are not due; so with --conversation."),
    ] = False,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="At most so many.")] = 100,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show which segments, as they stand, lack the verdict of a pass, and why.

    open: its job waits. parked or failed: with the reason. no_job: it was sealed before the pass
    was in force, so a backfill has to find out. Not due are: not_active, not_subscribed, filtered
    (by channel or length), not_sampled.

    Try:

        parley missing --conversation chat-7

        parley missing --pass topics --since 7d -o json
    """
    shows_all = everything or conversation is not None
    rows, has_more = run(
        _read(Settings.load(), tenant, conversation, wanted, since, limit, shows_all=shows_all)
    )
    if not rows and output is Output.TABLE:
        say("Nothing is missing." if conversation is None else "Nothing is missing there.")
        return
    print_rows(output, rows, _COLUMNS)
    if has_more:
        say(f"The first {limit:,} are shown: -n shows more, `parley coverage` counts all.")


async def _read(
    settings: Settings,
    tenant: str,
    conversation: str | None,
    wanted: str | None,
    since: str | None,
    limit: int,
    *,
    shows_all: bool,
) -> tuple[list[dict[str, Any]], bool]:
    rows: list[dict[str, Any]] = []
    async with connection_pool(settings) as pool:
        async for one in missing(pool, tenant, conversation, since_of(since)):
            if wanted not in (None, one.lack.pass_name) or not (one.lack.is_due or shows_all):
                continue
            if len(rows) == limit:
                return rows, True
            rows.append(line_of(one))
    return rows, False


def line_of(one: Lacking) -> dict[str, Any]:
    """What is lacking, for people and programs."""
    segment, lack = one.segment, one.lack
    return {
        "conversation": segment["conversation_id"],
        "segment": str(segment["segment_id"]),
        "revision": segment["revision"],
        "ended_at": segment["ended_at"],
        "pass": f"{lack.pass_name}@{lack.pass_version}",
        "why": lack.why.value,
        "reason": lack.reason,
        "attempts": lack.attempt_count,
        "due_at": lack.due_at,
        "has_former": lack.former is not None,
        "detail": "; ".join(_details(one)),
    }


def _details(one: Lacking) -> list[str]:
    lack = one.lack
    details = [lack.reason] if lack.reason else []
    if lack.attempt_count:
        details.append(f"{lack.attempt_count} attempts")
    if lack.former is not None:
        revision, version = lack.former
        details.append(f"stale: has one of revision {revision} by version {version}")
    return details
