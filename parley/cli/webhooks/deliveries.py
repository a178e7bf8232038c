"""`parley webhooks deliveries`: what was sent, what became of it, and each request."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.running import run
from parley.cli.verdicts.options import ConversationOption, since_of
from parley.cli.webhooks.options import DEFAULT_TENANT, TenantOption
from parley.cli.webhooks.setting import SQL
from parley.errors import UserError
from parley.settings import Settings

_COLUMNS: Final = (
    *("delivery", "webhook", "conversation", "pass", "state", "reason", "attempts"),
    *("created_at", "ended_at", "due_at"),
)
_ATTEMPT_COLUMNS: Final = ("attempted_at", "status", "problem", "latency_seconds")

Row = Mapping[str, Any]


class Shown(StrEnum):
    """Deliveries in which state."""

    ALL = "all"
    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"


def list_deliveries(
    webhook: Annotated[str | None, typer.Argument(help="Only this one's, by its name.")] = None,
    *,
    delivery: Annotated[
        str | None, typer.Option("--id", help="This one with its requests, by its id.")
    ] = None,
    conversation: ConversationOption = None,
    state: Annotated[Shown, typer.Option(help="Which ones.")] = Shown.ALL,
    since: Annotated[
        str | None, typer.Option(help="Made then or later: a time, or how long ago, such as 2d.")
    ] = None,
    limit: Annotated[int, typer.Option("-n", min=1, max=100_000, help="At most so many.")] = 50,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show deliveries, the newest first; with --id one of them and every request that was made.

    Try:

        parley webhooks deliveries crm --state failed

        parley webhooks deliveries --id 5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e
    """
    wanted = None if delivery is None else delivery_of(delivery)
    chosen = (tenant, webhook, wanted, conversation, _states(state), since_of(since), limit)
    rows, attempts = run(_read(Settings.load(), chosen))
    found = [_facts(row) for row in rows]
    if wanted is None:
        print_rows(output, found, _COLUMNS)
        return
    if not found:
        raise UserError(f"Tenant {tenant} has no delivery {delivery}.", "It may be forgotten.")
    requests = [dict(one) for one in attempts]
    if output is not Output.TABLE:
        print_data(output, {**found[0], "requests": requests})
        return
    print_rows(output, found, _COLUMNS)
    if requests:
        print_rows(output, [{**one, **_rounded(one)} for one in requests], _ATTEMPT_COLUMNS)
    else:
        say("Nothing was sent yet.")


def delivery_of(text: str) -> str:
    """A delivery's id; raises UserError."""
    try:
        return str(UUID(text))
    except ValueError as error:
        raise UserError(
            f"{text} is no delivery's id.", "See the ids with `parley webhooks deliveries`."
        ) from error


def _states(shown: Shown) -> list[str] | None:
    if shown is Shown.ALL:
        return None
    return ["open", "claimed"] if shown is Shown.WAITING else [shown.value]


async def _read(settings: Settings, chosen: tuple[Any, ...]) -> tuple[Sequence[Row], Sequence[Row]]:
    tenant, delivery = chosen[0], chosen[2]
    async with connection_pool(settings) as pool:
        rows = await pool.fetch(SQL["deliveries"], *chosen)
        attempts = [] if delivery is None else await pool.fetch(SQL["attempts"], tenant, delivery)
    return rows, attempts


def _facts(row: Row) -> dict[str, Any]:
    is_waiting = row["state"] in ("open", "claimed")
    return {
        "delivery": str(row["delivery_id"]),
        "webhook": row["webhook_id"],
        "conversation": row["conversation_id"],
        "segment": str(row["segment_id"]),
        "revision": row["revision"],
        "pass": f"{row['pass_name']}@{row['pass_version']}",
        "state": "waiting" if is_waiting else row["state"],
        "reason": row["reason"],
        "attempts": row["attempt_count"],
        "created_at": row["created_at"],
        "ended_at": row["ended_at"],
        "due_at": row["due_at"],
    }


def _rounded(attempt: Row) -> dict[str, Any]:
    return {"latency_seconds": round(attempt["latency_seconds"], 3)}
