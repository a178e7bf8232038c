"""`parley webhooks redeliver`: sends again what failed, or what was found out meanwhile."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, NamedTuple

import typer

from parley import clock
from parley.analyses import JobTrigger
from parley.cli.config_topic import read_configured
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.running import run
from parley.cli.times import duration_text, moment_of
from parley.cli.webhooks.deliveries import delivery_of
from parley.cli.webhooks.options import DEFAULT_TENANT, TenantOption, WebhookArgument, known
from parley.cli.webhooks.setting import SQL
from parley.cli.wording import counted
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
    again: Annotated[
        bool,
        typer.Option(
            "--again",
            help="With --since: also those that were told of so long ago that nobody knows it.",
        ),
    ] = False,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Send again, under the same ids: by id, all that failed, or all that was left out.

    A delivery's id is of the webhook and the verdict, so a receiver knows what it has had. What
    was told of is known for 30 days (PARLEY_WEBHOOK_LOG_KEPT): verdicts from before are left out
    unless --again sends them, some perhaps for the second time.

    Try:

        parley webhooks redeliver crm --failed

        parley webhooks redeliver crm --since 2d
    """
    if bool(delivery) + failed + (since is not None) != 1:
        raise UserError("Which ones?", "Give ids, or --failed, or --since.")
    settings = Settings.load()
    found = known(run(read_configured(settings)), tenant, webhook).body
    wanted = [delivery_of(one) for one in delivery] if delivery else None
    reach = None
    if since is not None:
        now = clock.now()
        reach = reach_of(
            moment_of("--since", since, now), now - settings.webhook_log_kept, takes_all=again
        )
    begun = run(_begin(settings, tenant, found, wanted, reach))
    if wanted is not None and begun.deliveries < len(set(wanted)):
        kept = duration_text(settings.webhook_log_kept)
        say(
            "Those that are missing wait already, are not of this webhook, or ended more than "
            f"{kept} ago and are known no more."
        )
    _print(output, webhook, begun, settings.webhook_log_kept)


class Reach(NamedTuple):
    """Verdicts from `begin` on are told of; what lies before it, from `asked` on, is left out."""

    asked: datetime
    begin: datetime


class Begun(NamedTuple):
    """How many deliveries begin, and how many verdicts were left out before `log_begin`."""

    deliveries: int
    left_out: int = 0
    log_begin: datetime | None = None


def reach_of(asked: datetime, log_begin: datetime, *, takes_all: bool) -> Reach:
    """From when on verdicts are told of: before the log begins nobody knows which were."""
    return Reach(asked, asked if takes_all else max(asked, log_begin))


def _print(output: Output, webhook: str, begun: Begun, kept: timedelta) -> None:
    if output is not Output.TABLE:
        facts = {"webhook": webhook, "begun": begun.deliveries, "left_out": begun.left_out}
        print_data(output, {**facts, "log_begin": begun.log_begin})
    else:
        say(f"{begun.deliveries:,} {'delivery' if begun.deliveries == 1 else 'deliveries'} begun.")
    for sentence in left_out_sentences(begun, kept):
        say(sentence)


def left_out_sentences(begun: Begun, kept: timedelta) -> list[str]:
    """What a person has to know who asked for more than the log of deliveries knows."""
    if begun.log_begin is None:
        return []
    where = f"The log of deliveries is kept for {duration_text(kept)}"
    if not begun.left_out:
        return [f"{where}; the tables hold no verdict for this webhook from before that."]
    since = f"{begun.log_begin:%Y-%m-%d %H:%M} UTC"
    return [
        f"WARNING: {where}: nobody knows which verdicts from before {since} it was told of. "
        f"{counted(begun.left_out, 'verdict')} from before are left out.",
        "`parley export verdicts` writes them to a file; the same command with --again sends "
        "them, some perhaps for the second time, under the same ids.",
    ]


async def _begin(
    settings: Settings,
    tenant: str,
    webhook: Webhook,
    wanted: Sequence[str] | None,
    reach: Reach | None,
) -> Begun:
    async with connection_pool(settings) as pool:
        if reach is None:
            rows = await pool.fetch(SQL["begin_again"], tenant, webhook.webhook_id, wanted)
            return Begun(len(rows))
        count = await _tell(pool, tenant, webhook, reach.begin)
        if reach.begin == reach.asked:
            return Begun(count)
        return Begun(count, await _left_out(pool, tenant, webhook, reach), reach.begin)


async def _left_out(pool: Pool, tenant: str, webhook: Webhook, reach: Reach) -> int:
    rows = await pool.fetch(SQL["verdicts_between"], tenant, reach.asked, reach.begin)
    return sum(row["verdicts"] for row in rows if _is_wanted(webhook, row))


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
