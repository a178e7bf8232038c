"""`parley keys`: the keys that programs talk to the gateway with."""

from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.api_keys import make_key, parse_key
from parley.cli.config_topic import Configured, configure, read_configured
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.running import run
from parley.cli.times import span_of
from parley.codec.validity import MAX_ID_BYTES
from parley.config import AccessRole, ApiKey
from parley.errors import UserError
from parley.settings import Settings

app = typer.Typer(help="Create, revoke and list API keys.", no_args_is_help=True)

_COLUMNS: Final = (
    *("key_id", "tenant", "subject", "roles", "state"),
    *("expires_at", "changed_at", "changed_by"),
)


@app.command()
def create(
    tenant: Annotated[str, typer.Option(help="Whose conversations it opens.")],
    subject: Annotated[
        str, typer.Option(help="Who will use it, such as shop-backend; ids count within it.")
    ],
    role: Annotated[list[AccessRole], typer.Option(help="What it may do; can be repeated.")],
    expires: Annotated[
        str | None, typer.Option(help="After how long, such as 90d, 12h or 2w; else never.")
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a key, and show it: this once, since only its hash is kept.

    A user talks as itself; an agent is a server, which talks for every user and the assistant.

    Example: parley keys create --tenant acme --subject shop-backend --role agent --expires 90d
    """
    _check_subject(subject)
    lifetime = None if expires is None else parse_span(expires)
    settings = Settings.load()
    configured = run(read_configured(settings))
    if not configured.tenant(tenant).body.is_enabled:
        say(f"{tenant} is disabled: the key works once `parley tenant enable {tenant}` was run.")
    made = make_key()
    expires_at = None if lifetime is None else clock.now() + lifetime
    key = ApiKey(made.key_id, made.key_hash, subject, tuple(sorted(set(role))), expires_at)
    # Shown when it is durable, so that no key is handed out that does not work.
    configured = run(configure(settings, tenant, key))
    row = _row(configured, made.key_id)
    if output is not Output.TABLE:
        print_data(output, {**row, "key": made.text})
        return
    # The key alone on stdout: `KEY=$(parley keys create …)`.
    typer.echo(made.text)
    until = "never expires" if expires_at is None else f"expires {expires_at:%Y-%m-%d %H:%M} UTC"
    say(f"It is shown this once, and {until}. Revoke it with `parley keys revoke {made.key_id}`.")


@app.command("list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(help="Only this one's keys.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show every key by its id, never the key itself; those that were revoked too.

    Example: parley keys list --tenant acme -o json
    """
    configured = run(read_configured(Settings.load()))
    if tenant is not None:
        configured.tenant(tenant)
    rows = [_row(configured, key_id) for key_id in configured.keys]
    rows = [row for row in rows if tenant in (None, row["tenant"])]
    rows.sort(key=lambda row: (row["tenant"], row["changed_at"]))
    print_rows(output, rows, _COLUMNS)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, as `parley keys list` shows it.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse a key for ever, within a second.

    Example: parley keys revoke 0123456789abcdef
    """
    # Somebody who holds a leaked key need not pick its id out of it.
    presented = parse_key(key_id)
    key_id = presented.key_id if presented else key_id
    settings = Settings.load()
    configured = run(read_configured(settings))
    latest = configured.key(key_id)
    if latest.body.revoked_at is not None:
        say(f"{key_id} was revoked already.")
    else:
        revoked = replace(latest.body, revoked_at=clock.now())
        configured = run(configure(settings, latest.tenant_id, revoked))
    print_rows(output, [_row(configured, key_id)], _COLUMNS)


def parse_span(text: str) -> timedelta:
    """A number with m, h, d or w, up to a hundred years; raises UserError."""
    span = span_of(text)
    if span is not None:
        return span
    raise UserError(
        f"--expires {text} is not understood.",
        "Write a number with m, h, d or w behind it, such as 90d.",
    )


def _check_subject(subject: str) -> None:
    if not subject or not subject.isprintable() or len(subject.encode()) > MAX_ID_BYTES:
        raise UserError(
            "--subject cannot be used.",
            f"Write 1 to {MAX_ID_BYTES} bytes without line breaks, such as shop-backend.",
        )


def _row(configured: Configured, key_id: str) -> dict[str, Any]:
    latest = configured.key(key_id)
    key = latest.body
    return {
        "key_id": key_id,
        "tenant": latest.tenant_id,
        "subject": key.subject,
        "roles": ", ".join(key.roles),
        "state": configured.key_state(latest, clock.now()),
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "changed_at": latest.changed_at,
        "changed_by": latest.changed_by,
    }
