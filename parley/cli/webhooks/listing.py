"""`parley webhooks list|show`: who is told of what, and how each is doing."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, print_rows, say, stdout
from parley.cli.running import run
from parley.cli.webhooks.options import DEFAULT_TENANT, TenantOption, WebhookArgument, unknown
from parley.cli.webhooks.setting import SQL
from parley.settings import Settings

_COLUMNS: Final = (
    *("webhook", "tenant", "url", "told_of", "state", "waiting", "delivered", "failed"),
    *("last_success_at",),
)

Row = Mapping[str, Any]


def list_webhooks(
    tenant: Annotated[str | None, typer.Option(help="Only this one's.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show every webhook, and how it is doing; never a secret.

    Try:

        parley webhooks list -o json
    """
    rows = [_facts(row) for row in run(_read(Settings.load(), tenant, None))]
    if not rows and output is Output.TABLE:
        say("There is none. `parley webhooks add --help` says how to make one.")
        return
    print_rows(output, rows, _COLUMNS)


def show(
    webhook: WebhookArgument,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show all that is known of a webhook.

    Try:

        parley webhooks show crm
    """
    rows = run(_read(Settings.load(), tenant, webhook))
    if not rows:
        raise unknown(tenant, webhook)
    facts = _facts(rows[0])
    if output is not Output.TABLE:
        print_data(output, facts)
        return
    for name, value in facts.items():
        if value not in (None, "", 0, []):
            stdout.print(f"{name.replace('_', ' ')}: {value}", markup=False)


async def _read(settings: Settings, tenant: str | None, webhook: str | None) -> Sequence[Row]:
    async with connection_pool(settings) as pool:
        rows: Sequence[Row] = await pool.fetch(SQL["webhooks"], tenant, webhook)
        return rows


def _facts(row: Row) -> dict[str, Any]:
    return {
        "webhook": row["webhook_id"],
        "tenant": row["tenant_id"],
        "url": row["url"],
        "told_of": told_of(row),
        "state": state_of(row),
        "waiting": row["waiting"],
        "delivered": row["delivered"],
        "failed": row["failed"],
        "last_success_at": row["last_success_at"],
        "failing_since": row["failing_since"],
        "failures_in_a_row": row["failure_count"],
        "rests_until": row["rests_until"],
        "disabled_at": row["disabled_at"],
        "disabled_reason": row["disabled_reason"],
        "key_id": f"k{row['secret_version']}",
        "former_key_until": row["former_until"],
        "changed_at": row["changed_at"],
        "changed_by": row["changed_by"],
    }


def told_of(row: Row) -> str:
    """Of which verdicts it is told, in words."""
    chosen = [*row["passes"], *(f"category {one}" for one in row["categories"])]
    return (", ".join(chosen) or "all") + (", live only" if row["is_live_only"] else "")


def state_of(row: Row) -> str:
    """How it is doing, in a word."""
    if not row["is_enabled"]:
        return "disabled"
    if row["disabled_at"] is not None:
        return "disabled by failures"
    return "failing" if row["failure_count"] else "ok"
