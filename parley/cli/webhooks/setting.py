"""`parley webhooks add|rotate|enable|disable|remove`: sets who is told, through the log."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Final

import typer

from parley import clock, ids
from parley.cli.config_topic import Configured, configure, read_configured
from parley.cli.facts import connection_pool
from parley.cli.output import Output, OutputOption, print_data, say
from parley.cli.running import run
from parley.cli.times import duration_of, duration_text
from parley.cli.webhooks.options import (
    DEFAULT_TENANT,
    TenantOption,
    WebhookArgument,
    known,
    server_key,
)
from parley.codec.validity import MAX_ID_BYTES
from parley.db.sql import load
from parley.errors import UserError
from parley.settings import Settings
from parley.webhooks.addresses import target_of
from parley.webhooks.signing import check_of, secret_of
from parley.webhooks.webhook import MAX_CHOSEN, WEBHOOK_ID, Webhook

SQL: Final = load(__package__)
_PATIENCE_S: Final = 10.0
_POLL_S: Final = 0.2


def add(
    url: Annotated[str, typer.Argument(help="Where verdicts are sent, https://….")],
    *,
    name: Annotated[
        str | None, typer.Option(help="What to call it, such as crm; made up where left out.")
    ] = None,
    passes: Annotated[
        list[str] | None,
        typer.Option("--pass", help="Only verdicts of this pass; can be repeated."),
    ] = None,
    category: Annotated[
        list[str] | None, typer.Option(help="Only of passes of this category; can be repeated.")
    ] = None,
    live_only: Annotated[
        bool, typer.Option("--live-only", help="Leave out what backfills find.")
    ] = False,
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Tell a program of every verdict that is made from now on, and show its secret: this once.

    What is sent is signed with the secret. It is derived from PARLEY_WEBHOOK_KEY, which must be
    the analyzer's too, and is kept nowhere.

    Try:

        parley webhooks add https://crm.example.com/parley --name crm --pass sentiment
    """
    target = target_of(url)
    settings = Settings.load()
    key = server_key(settings)
    webhook_id = name or ids.random_id()[:8]
    _check_names(webhook_id, [*(passes or ()), *(category or ())])
    configured = run(read_configured(settings))
    former = configured.webhooks.get((tenant, webhook_id))
    if former is not None and not former.body.is_removed:
        raise UserError(
            f"Tenant {tenant} has a webhook {webhook_id} already.",
            "Choose another --name, or remove that one first.",
        )
    # A name that was used before: its former secret is somebody's.
    version = 1 if former is None else former.body.secret_version + 1
    secret = secret_of(key, tenant, webhook_id, version)
    webhook = Webhook(
        webhook_id,
        url,
        version,
        check_of(secret),
        tuple(passes or ()),
        tuple(category or ()),
        is_live_only=live_only,
    )
    _set(settings, tenant, webhook)
    if former is not None:
        # Nor does it begin with the failures of the one that was removed.
        run(_execute(settings, "enable", tenant, webhook_id))
    if not target.is_tls:
        say("Without TLS it is told only within PARLEY_ANALYZER_WEBHOOK_NETWORKS.")
    _show_secret(output, tenant, webhook, secret)


def rotate(
    webhook: WebhookArgument,
    *,
    overlap: Annotated[
        str, typer.Option(help="How long the secret before signs too, such as 24h; 0s for not.")
    ] = "24h",
    tenant: TenantOption = DEFAULT_TENANT,
    output: OutputOption = Output.TABLE,
) -> None:
    """Make another secret, and show it: this once. Meanwhile requests carry both signatures.

    Try:

        parley webhooks rotate crm --overlap 2h
    """
    span = duration_of("--overlap", overlap)
    settings = Settings.load()
    key = server_key(settings)
    former = known(run(read_configured(settings)), tenant, webhook).body
    version = former.secret_version + 1
    secret = secret_of(key, tenant, webhook, version)
    until = clock.now() + span
    rotated = replace(
        former, secret_version=version, secret_check=check_of(secret), former_until=until
    )
    _set(settings, tenant, rotated)
    say(f"Requests are signed with both secrets for {duration_text(span)}.")
    _show_secret(output, tenant, rotated, secret)


def disable(webhook: WebhookArgument, *, tenant: TenantOption = DEFAULT_TENANT) -> None:
    """Tell it nothing for now: what waits is kept, verdicts that are made meanwhile are not.

    Try:

        parley webhooks disable crm
    """
    settings = Settings.load()
    former = known(run(read_configured(settings)), tenant, webhook).body
    _set(settings, tenant, replace(former, is_enabled=False))
    say(f"{webhook} is told nothing. `parley webhooks enable {webhook}` goes on with what waits.")


def enable(webhook: WebhookArgument, *, tenant: TenantOption = DEFAULT_TENANT) -> None:
    """Tell it again, also where its failures had disabled it.

    Try:

        parley webhooks enable crm
    """
    settings = Settings.load()
    former = known(run(read_configured(settings)), tenant, webhook).body
    run(_execute(settings, "enable", tenant, webhook))
    _set(settings, tenant, replace(former, is_enabled=True))
    say(
        f"{webhook} is told again. For what was found out meanwhile: "
        f"`parley webhooks redeliver {webhook} --since 2d`."
    )


def remove(webhook: WebhookArgument, *, tenant: TenantOption = DEFAULT_TENANT) -> None:
    """Tell it nothing more, for good; its log of requests stays for a while.

    Try:

        parley webhooks remove crm
    """
    settings = Settings.load()
    former = known(run(read_configured(settings)), tenant, webhook).body
    _set(settings, tenant, replace(former, is_removed=True))
    # At once, so that the same name, given again, is not told of what this one missed.
    run(_execute(settings, "cancel", tenant, webhook))
    say(f"{webhook} is told nothing more.")


def _check_names(webhook_id: str, chosen: list[str]) -> None:
    if WEBHOOK_ID.fullmatch(webhook_id) is None:
        raise UserError(
            f"--name {webhook_id} cannot be used.",
            "Write 1 to 64 letters, digits, dots, dashes and underscores.",
        )
    is_usable = all(
        one and one.isprintable() and len(one.encode()) <= MAX_ID_BYTES for one in chosen
    )
    if not is_usable or len(chosen) > MAX_CHOSEN:
        raise UserError(
            "A pass or category cannot be used.",
            f"Write its name, as `parley passes list` shows it, and at most {MAX_CHOSEN} of them.",
        )


def _set(settings: Settings, tenant: str, webhook: Webhook) -> None:
    """Set it, and wait until the analyzer goes by it."""
    configured = run(configure(settings, tenant, webhook))
    if not run(_is_in_force(settings, configured, tenant, webhook.webhook_id)):
        say("It counts once the persister has read it: `parley status` shows its lag.")


async def _is_in_force(
    settings: Settings, configured: Configured, tenant: str, webhook_id: str
) -> bool:
    changed_at: datetime = configured.webhooks[tenant, webhook_id].changed_at
    deadline = clock.monotonic() + _PATIENCE_S
    async with connection_pool(settings) as pool:
        while clock.monotonic() < deadline:
            if await pool.fetchval(SQL["is_known"], tenant, webhook_id, changed_at):
                return True
            await asyncio.sleep(_POLL_S)
    return False


async def _execute(settings: Settings, query: str, tenant: str, webhook_id: str) -> None:
    async with connection_pool(settings) as pool:
        await pool.execute(SQL[query], tenant, webhook_id)


def _show_secret(output: Output, tenant: str, webhook: Webhook, secret: str) -> None:
    if output is not Output.TABLE:
        facts: dict[str, Any] = {
            "webhook": webhook.webhook_id,
            "tenant": tenant,
            "url": webhook.url,
            "key_id": f"k{webhook.secret_version}",
            "secret": secret,
        }
        print_data(output, facts)
        return
    # The secret alone on stdout: `SECRET=$(parley webhooks add …)`.
    typer.echo(secret)
    say(
        f"This is the secret k{webhook.secret_version} of {webhook.webhook_id}, shown this once. "
        f"Try the receiver with `parley webhooks test {webhook.webhook_id}`."
    )
