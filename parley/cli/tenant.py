"""`parley tenant`: who may have conversations here."""

import re
from dataclasses import replace
from typing import Annotated, Any, Final

import typer

from parley import clock
from parley.cli.config_topic import Configured, configure, read_configured
from parley.cli.output import Output, OutputOption, print_rows, say
from parley.cli.running import run
from parley.config import Tenant
from parley.errors import UserError
from parley.settings import Settings

app = typer.Typer(help="Create, disable and list tenants.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The tenant's name.")]

_COLUMNS: Final = ("tenant", "display_name", "state", "keys", "changed_at", "changed_by")
# Plain enough for file names, metrics and command lines.
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}", re.ASCII | re.IGNORECASE)


@app.command()
def create(
    name: Name,
    display_name: Annotated[str, typer.Option(help="What people call it.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Create a tenant; nobody can use it before it has a key, or tokens name it.

    Example: parley tenant create acme --display-name "Acme, Inc."
    """
    if _NAME.fullmatch(name) is None:
        raise UserError(
            f"{name!r} cannot be a tenant's name.",
            "Use up to 63 letters, digits, dots, dashes and underscores, a letter or digit first.",
        )
    settings = Settings.load()
    if name in run(read_configured(settings)).tenants:
        raise UserError(f"The tenant {name} exists already.", "See it with `parley tenant list`.")
    configured = run(configure(settings, name, Tenant(name, display_name)))
    print_rows(output, [_row(configured, name)], _COLUMNS)


@app.command("list")
def list_tenants(output: OutputOption = Output.TABLE) -> None:
    """Show every tenant, and how many keys it has that can be used.

    Example: parley tenant list -o json
    """
    configured = run(read_configured(Settings.load()))
    rows = [_row(configured, name) for name in sorted(configured.tenants)]
    print_rows(output, rows, _COLUMNS)


@app.command()
def disable(name: Name, output: OutputOption = Output.TABLE) -> None:
    """Refuse all keys and tokens of a tenant, within a second, until it is enabled again.

    What it has said and stored stays as it is.

    Example: parley tenant disable acme
    """
    _set(name, output, is_enabled=False)


@app.command()
def enable(name: Name, output: OutputOption = Output.TABLE) -> None:
    """Take the keys and tokens of a disabled tenant again.

    Example: parley tenant enable acme
    """
    _set(name, output, is_enabled=True)


def _set(name: str, output: Output, *, is_enabled: bool) -> None:
    settings = Settings.load()
    configured = run(read_configured(settings))
    tenant = configured.tenant(name).body
    if tenant.is_enabled == is_enabled:
        say(f"{name} is {_state(tenant)} already.")
    else:
        configured = run(configure(settings, name, replace(tenant, is_enabled=is_enabled)))
    print_rows(output, [_row(configured, name)], _COLUMNS)


def _row(configured: Configured, name: str) -> dict[str, Any]:
    latest = configured.tenant(name)
    return {
        "tenant": name,
        "display_name": latest.body.display_name,
        "state": _state(latest.body),
        "keys": sum(
            key.tenant_id == name and configured.key_state(key, clock.now()) == "usable"
            for key in configured.keys.values()
        ),
        "changed_at": latest.changed_at,
        "changed_by": latest.changed_by,
    }


def _state(tenant: Tenant) -> str:
    return "enabled" if tenant.is_enabled else "disabled"
