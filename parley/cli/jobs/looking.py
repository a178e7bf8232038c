"""`parley jobs list` and `parley jobs show`: where jobs stand, and why."""

from typing import Annotated, Any, Final

import typer

from parley.cli.facts import connection_pool
from parley.cli.jobs.choosing import (
    SQL,
    Choice,
    ConversationOption,
    PassOption,
    ReasonOption,
    Row,
    State,
    TenantOption,
    choose,
    segments_of,
    summary,
)
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.running import run
from parley.errors import UserError
from parley.settings import Settings

_COLUMNS: Final = (
    *("segment", "revision", "pass", "state", "reason", "lane", "trigger", "attempts"),
    *("failures", "tenant", "conversation", "due_at"),
)
# What is of use to a person, and not shown in a line.
_MORE: Final = (
    *("fingerprint", "generation", "released_count", "priority", "backfill_run_id"),
    *("message_count", "started_at", "ended_at", "sealed_at", "estimated_micro_usd"),
)
_EVERY: Final = tuple(state.value for state in State)
_MOST_OF_A_SEGMENT: Final = 10_000


def list_jobs(
    *,
    state: Annotated[
        list[State] | None,
        typer.Option(help="Where they stand, once or more; else failed and parked ones."),
    ] = None,
    pass_name: PassOption = None,
    conversation: ConversationOption = None,
    tenant: TenantOption = None,
    reason: ReasonOption = None,
    limit: Annotated[int, typer.Option("-n", min=1, help="At most so many.")] = 100,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show jobs: those that failed or wait for somebody, or those in the states that are named.

    Try:

        parley jobs list

        parley jobs list --state open --pass summary -o json
    """
    states = tuple(one.value for one in state or (State.FAILED, State.PARKED))
    chosen = Choice(states, None, pass_name, conversation, tenant, reason)
    rows = run(_list(Settings.load(), chosen, limit))
    if not rows and output is Output.TABLE:
        say("There are none.")
        return
    print_rows(output, [summary(row) for row in rows], _COLUMNS)
    if rows and rows[0]["chosen_count"] > len(rows):
        say(f"{rows[0]['chosen_count'] - len(rows):,} others are not shown: -n shows more.")


async def _list(settings: Settings, chosen: Choice, limit: int) -> list[Row]:
    async with connection_pool(settings) as pool:
        return await choose(pool, chosen, limit=limit)


def show(
    segment: Annotated[str, typer.Argument(metavar="SEGMENT", help="The segment's id.")],
    *,
    pass_name: PassOption = None,
    content: Annotated[
        bool, typer.Option("--content", help="Show what a model said that was no valid answer.")
    ] = False,
    output: OutputOption = Output.JSON,
) -> None:
    """Show a segment's jobs with all that is known of them, and what their calls cost.

    Money is in millionths of a US dollar; a charge without `actual_micro_usd` is not settled, and
    counts with its estimate. What a model said that was no valid answer is kept with the job, and
    may quote the conversation: --content shows it.

    Try:

        parley jobs show 0f3c1d2e-… --pass summary --content
    """
    segments = segments_of([segment])
    chosen = Choice(_EVERY, segments, pass_name)
    rows = run(_show(Settings.load(), chosen, segment, with_content=content))
    if not rows:
        raise UserError(
            f"There is no job of segment {segment}.",
            "`parley explain CONVERSATION` shows a conversation's segments and passes.",
        )
    print_data(Output.JSON if output is Output.TABLE else output, rows)


async def _show(
    settings: Settings, chosen: Choice, segment: str, *, with_content: bool
) -> list[dict[str, Any]]:
    async with connection_pool(settings) as pool:
        rows = await choose(pool, chosen, limit=_MOST_OF_A_SEGMENT)
        charges = await pool.fetch(SQL["charges"], segment)
    return [
        {
            **summary(row),
            **{name: _plain(row[name]) for name in _MORE},
            **_raw(row, with_content=with_content),
            "charges": [_charge(one) for one in charges if _is_of(one, row)],
        }
        for row in rows
    ]


def _raw(row: Row, *, with_content: bool) -> dict[str, Any]:
    raw = row["raw_answer"]
    if raw is None:
        return {}
    return {"raw_answer": raw} if with_content else {"raw_answer_length": len(raw)}


def _charge(row: Row) -> dict[str, Any]:
    names = ("utc_day", "estimated_micro_usd", "actual_micro_usd", "backfill_run_id")
    return {name: _plain(row[name]) for name in names}


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | None) else str(value)


def _is_of(charge: Row, job: Row) -> bool:
    return all(charge[name] == job[name] for name in ("revision", "pass_name", "pass_version"))
