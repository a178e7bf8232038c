"""`parley webhooks redeliver`: sends again what failed, or what was found out meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from parley.analyses import JobTrigger
from parley.cli.config_topic import read_configured
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.running import run
from parley.cli.verdicts.options import since_of
from parley.cli.webhooks.deliveries import delivery_of
from parley.cli.webhooks.options import DEFAULT_TENANT, TenantOption, WebhookArgument, known
from parley.cli.webhooks.setting import SQL
from parley.db.pool import Pool
from parley.errors import UserError
from parley.settings import Settings
from parley.webhooks.delivery import delivery_id
from parley.webhooks.webhook import Webhook

_AT_A_TIME: Final = 1_000
_NO_SEGMENT: Final = "00000000-0000-0000-0000-000000000000"


def redeliver(
    webhook: WebhookArgument,
    delivery: Annotated[
        list[str] | None, typer.Argument(help="These, by their ids, delivered ones too.")
    ] = None,
    *,
    failed: Annotated[bool, typer.Option("--failed", help="All that were given up.")] = False,
    since: Annotated[
        str | None,
        typer.Option(help="Verdicts that were made then or later, and were never told of."),
    ] = None,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send again, under the same ids: by id, all that failed, or all that was left out.

    A delivery's id is of the webhook and the verdict, so a receiver knows what it has had.

    Try:

        parley webhooks redeliver crm --failed

        parley webhooks redeliver crm --since 2d
    """
    if bool(delivery) + failed + (since is not None) != 1:
        raise UserError("Which ones?", "Give ids, or --failed, or --since.")
    settings = Settings.load()
    found = known(run(read_configured(settings)), tenant, webhook).body
    wanted = [delivery_of(one) for one in delivery] if delivery else None
    moment = since_of(since)
    count = run(_begin(settings, tenant, found, wanted, moment))
    if wanted is not None and count < len(set(wanted)):
        say("Those that are missing wait already, or are not of this webhook.")
    if output is not Output.TABLE:
        print_data(output, {"webhook": webhook, "begun": count})
    else:
        say(f"{count:,} {'delivery' if count == 1 else 'deliveries'} begun.")


async def _begin(
    settings: Settings,
    tenant: str,
    webhook: Webhook,
    wanted: Sequence[str] | None,
    since: datetime | None,
) -> int:
    async with connection_pool(settings) as pool:
        if since is not None:
            return await _tell(pool, tenant, webhook, since)
        return len(await pool.fetch(SQL["begin_again"], tenant, webhook.webhook_id, wanted))


async def _tell(pool: Pool, tenant: str, webhook: Webhook, since: datetime) -> int:
    """Deliveries of what was made since then; how many there were not."""
    place: tuple[Any, ...] = (since, _NO_SEGMENT, 0, "", 0)
    count = 0
    while rows := await pool.fetch(SQL["verdicts_since"], tenant, *place, _AT_A_TIME):
        last = rows[-1]
        place = (last["ended_at"], *_verdict_key(last))
        chosen = [row for row in rows if _is_wanted(webhook, row)]
        if chosen:
            told = [_delivery(tenant, webhook, row) for row in chosen]
            columns = [list(column) for column in zip(*told, strict=True)]
            count += len(await pool.fetch(SQL["tell"], tenant, webhook.webhook_id, *columns))
    return count


def _is_wanted(webhook: Webhook, row: Any) -> bool:
    is_backfill = row["trigger"] == JobTrigger.BACKFILL
    # What it would have been told while it was disabled.
    enabled = replace(webhook, is_enabled=True)
    return enabled.wants(row["pass_name"], row["category"], is_backfill=is_backfill)


def _delivery(tenant: str, webhook: Webhook, row: Any) -> tuple[Any, ...]:
    verdict = _verdict_key(row)
    name = delivery_id(tenant, webhook.webhook_id, *verdict)
    return (name, row["conversation_id"], *verdict)


def _verdict_key(row: Any) -> tuple[str, int, str, int]:
    return (str(row["segment_id"]), row["revision"], row["pass_name"], row["pass_version"])
