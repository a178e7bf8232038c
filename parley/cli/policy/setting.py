"""`parley policy set` and `withdraw`: make the next version of a policy."""

from dataclasses import replace
from typing import Any, Final

from parley.cli.config_topic import Configured, configure, read_configured
from parley.cli.output import Output, OutputOption, print_data, print_rows, say
from parley.cli.policy.listing import latest_row
from parley.cli.policy.options import (
    ChannelOption,
    GraceOption,
    IdleGapOption,
    MaxDurationOption,
    MaxMessagesOption,
    SealOnEndOption,
    TenantOption,
    Wanted,
    differences,
    field_text,
    next_policy,
    scope_of,
)
from parley.cli.running import run
from parley.config import GapPolicy
from parley.errors import UserError
from parley.events import Policy
from parley.policies import EVERYBODY, Policies, Scope
from parley.settings import Settings

_COLUMNS: Final = ("field", "before", "after")


def set_policy(
    *,
    tenant: TenantOption = "",
    channel: ChannelOption = "",
    idle_gap: IdleGapOption = None,
    grace: GraceOption = None,
    seal_on_end: SealOnEndOption = None,
    max_duration: MaxDurationOption = None,
    max_messages: MaxMessagesOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set a policy for a tenant, a channel, both or everybody: its next version.

    What is left out stays as it counts there now. Gateways stamp the new version on what comes a
    second from now; events that are in the log keep what they carry, so nothing of the past
    changes. See first with `parley policy preview`, which takes the same options.

    Examples: parley policy set --channel phone --idle-gap 20m --seal-on-end

    parley policy set --tenant acme --idle-gap 30m --grace 90s
    """
    wanted = Wanted(idle_gap, grace, seal_on_end, max_duration, max_messages)
    if wanted.is_empty():
        raise UserError("Nothing to set.", "Give at least one of --idle-gap, --grace and so on.")
    scope, settings = scope_of(tenant, channel), Settings.load()
    configured = run(read_configured(settings))
    policies = configured.policies
    before, after = policies.policy_for(*scope), next_policy(policies, scope, wanted)
    if policies.source_of(*scope) == scope and not differences(before, after):
        say(f"{scope.policy_id} says so already, as version {before.version}: nothing was set.")
        _print(output, policies, scope, [])
        return
    _warn(configured, scope)
    body = GapPolicy(scope.channel, after)
    policies = run(configure(settings, scope.tenant_id, body)).policies
    _print(output, policies, scope, _changes(before, after))
    _say_since_when(after)


def withdraw(
    *,
    tenant: TenantOption = "",
    channel: ChannelOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a policy back: what would count without it does, a second from now.

    It is a version of its own, so the next one that is set has a number that no event carries.

    Example: parley policy withdraw --channel phone
    """
    scope, settings = scope_of(tenant, channel), Settings.load()
    policies = run(read_configured(settings)).policies
    before = policies.policy_for(*scope)
    if policies.source_of(*scope) != scope:
        raise UserError(
            f"{scope.policy_id} has no policy that an operator set.",
            "See all of them with `parley policy list`.",
        )
    version = policies.next_version(scope)
    body = GapPolicy(scope.channel, replace(before, version=version), is_withdrawn=True)
    policies = run(configure(settings, scope.tenant_id, body)).policies
    after = policies.policy_for(*scope)
    _print(output, policies, scope, _changes(before, after))
    _say_since_when(after)


def _warn(configured: Configured, scope: Scope) -> None:
    if scope.tenant_id and scope.tenant_id not in configured.tenants:
        say(f"Nobody has created the tenant {scope.tenant_id}: is it spelt so?")
    narrower = [one for one in configured.policies.scopes() if _outranks(one, scope)]
    if narrower:
        names = ", ".join(one.policy_id for one in narrower)
        say(f"These outrank it for what they name, and stay: {names}.")
    if scope == EVERYBODY:
        say("It outranks the settings, those of PARLEY_CHANNEL_POLICIES too.")


def _outranks(other: Scope, scope: Scope) -> bool:
    """Whether another policy counts for a part of the scope."""
    if other == scope:
        return False
    is_within = scope.tenant_id in ("", other.tenant_id) and scope.channel in ("", other.channel)
    return is_within or (not scope.tenant_id and bool(other.tenant_id) and not other.channel)


def _changes(before: Policy, after: Policy) -> list[dict[str, Any]]:
    return [
        {"field": name, "before": field_text(before, name), "after": field_text(after, name)}
        for name in differences(before, after)
    ]


def _print(output: Output, policies: Policies, scope: Scope, changes: list[dict[str, Any]]) -> None:
    if output is not Output.TABLE:
        print_data(output, {**latest_row(policies, scope), "changes": changes})
    elif changes:
        print_rows(output, changes, _COLUMNS)


def _say_since_when(after: Policy) -> None:
    say(
        f"{after.policy_id}, version {after.version}, counts for what comes from now on; gateways "
        "take it up within a second. What is in the log keeps the policy that it carries."
    )
