"""`parley policy list`: what was set, for whom, and which of it counts."""

from collections.abc import Iterator
from typing import Annotated, Any, Final

import typer

from parley.cli.config_topic import read_configured
from parley.cli.output import Output, OutputOption, print_rows
from parley.cli.policy.options import shown
from parley.cli.running import run
from parley.config import ConfigChange, GapPolicy
from parley.events import Policy
from parley.policies import SETTINGS_VERSION, Policies, Scope, scopes_of
from parley.settings import Settings

_COLUMNS: Final = (
    *("tenant", "channel", "version", "state", "idle_gap", "grace", "seal_on_end"),
    *("max_duration", "max_messages", "from", "since", "by"),
)
_EVERY: Final = "(every)"
_TOPIC: Final = "topic"
_SETTING: Final = "setting"


def list_policies(
    tenant: Annotated[str | None, typer.Option(help="Which policies bear on this one.")] = None,
    channel: Annotated[str | None, typer.Option(help="Which policies bear on this one.")] = None,
    every_version: Annotated[bool, typer.Option("--all", help="Former versions too.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the gap policies, the one that outranks the others first, and which are in force.

    Of a tenant and a channel the first one that is in force counts: what was set for both, for the
    tenant, for the channel, for everybody, and last what the settings say. Settings are those of
    this command's environment.

    Examples: parley policy list

    parley policy list --tenant acme --channel phone

    parley policy list --all -o json
    """
    settings = Settings.load()
    policies = run(read_configured(settings)).policies
    rows = [
        *_set_rows(policies, every_version=every_version),
        *_setting_rows(policies, settings.gap_policies()),
    ]
    chosen = [row for row in rows if _bears_on(row, tenant, channel)]
    if output is Output.TABLE:
        chosen = [
            {**row, **{name: row[name] or _EVERY for name in ("tenant", "channel")}}
            for row in chosen
        ]
    print_rows(output, chosen, _COLUMNS)


def latest_row(policies: Policies, scope: Scope) -> dict[str, Any]:
    """The version that was set last for a scope that has one."""
    latest = policies.versions(scope)[-1]
    return _policy_row(latest, _state(latest))


def _policy_row(change: ConfigChange, state: str) -> dict[str, Any]:
    body = change.body
    assert isinstance(body, GapPolicy)  # noqa: S101 - the caller's promise
    return {
        "tenant": change.tenant_id,
        "channel": body.channel,
        "policy_id": body.policy.policy_id,
        "version": body.policy.version,
        "state": state,
        **shown(body.policy),
        "from": _TOPIC,
        "since": change.changed_at,
        "by": change.changed_by,
    }


def _set_rows(policies: Policies, *, every_version: bool) -> Iterator[dict[str, Any]]:
    # Both named, then the tenant, then the channel, then nobody: as they outrank each other.
    ranked = sorted(policies.scopes(), key=lambda one: (not one.tenant_id, not one.channel, one))
    for scope in ranked:
        latest, *former = reversed(policies.versions(scope))
        yield _policy_row(latest, _state(latest))
        if every_version:
            yield from (_policy_row(one, "replaced") for one in former)


def _state(latest: ConfigChange) -> str:
    is_withdrawn = isinstance(latest.body, GapPolicy) and latest.body.is_withdrawn
    return "withdrawn" if is_withdrawn else "in force"


def _setting_rows(policies: Policies, settings: dict[str, Policy]) -> Iterator[dict[str, Any]]:
    for channel, policy in sorted(settings.items(), key=lambda one: (not one[0], one)):
        outranked = policies.source_of("", channel) is not None
        yield {
            "tenant": "",
            "channel": channel,
            "policy_id": policy.policy_id,
            "version": SETTINGS_VERSION,
            "state": "outranked" if outranked else "in force",
            **shown(policy),
            "from": _SETTING,
            "since": None,
            "by": "",
        }


def _bears_on(row: dict[str, Any], tenant: str | None, channel: str | None) -> bool:
    scopes = scopes_of(tenant or "", channel or "")
    own = Scope(row["tenant"], row["channel"])
    if tenant is not None and channel is not None:
        return own in scopes
    if tenant is not None:
        return own.tenant_id in ("", tenant)
    return channel is None or own.channel in ("", channel)
