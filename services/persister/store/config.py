"""Writes what operators have set, each as it was last set; of policies and passes every version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parley.codec.definitions import encode_definition
from parley.config import (
    VERSIONED,
    ApiKey,
    ConfigChange,
    ConfigKey,
    GapPolicy,
    Retention,
    Tenant,
)
from parley.db.pool import Connection
from parley.db.sql import load
from parley.events import Policy
from parley.passes.applied import AppliedPass, PassActivation, Subscription
from parley.passes.stored import versions_json
from parley.policies import Policies
from parley.webhooks.webhook import Webhook

_SQL: Final = load(__package__, "config.sql")
# Named as the fields of a Policy.
_POLICY_COLUMNS: Final = (
    *("policy_id", "version", "idle_gap", "grace"),
    *("seal_on_end", "max_duration", "max_messages"),
)
# Named as the fields of a Webhook.
_WEBHOOK_COLUMNS: Final = (
    *("webhook_id", "url", "secret_version", "secret_check", "passes", "categories"),
    *("former_until", "is_live_only", "is_enabled", "is_removed"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing of one tenant, and what its latest record says; None where that says nothing."""

    about: ConfigKey
    change: ConfigChange | None


async def write_settings(connection: Connection, settings: Sequence[Setting]) -> None:
    """Let each count, in their order, within the caller's transaction."""
    for one in settings:
        if one.change is None:
            await connection.execute(_SQL[f"forget_{one.about.kind}"], *_key(one.about))
        else:
            await connection.execute(_SQL[f"save_{one.about.kind}"], *_row(one.change))


async def policies(connection: Connection, settings: Mapping[str, Policy]) -> Policies:
    """What the rows say, over the settings' policies."""
    known = Policies(settings)
    for row in await connection.fetch(_SQL["gap_policies"]):
        policy = Policy(**{name: row[name] for name in _POLICY_COLUMNS})
        body = GapPolicy(row["channel"], policy, row["is_withdrawn"])
        known.apply(ConfigChange(row["tenant_id"], row["changed_by"], row["changed_at"], body))
    return known


def _key(about: ConfigKey) -> tuple[Any, ...]:
    return about[1:] if about.kind in VERSIONED else (about.tenant_id, about.name)


def _row(change: ConfigChange) -> tuple[Any, ...]:
    who_and_when = (change.changed_by, change.changed_at)
    match change.body:
        case Tenant() as tenant:
            return (tenant.name, tenant.display_name, tenant.is_enabled, *who_and_when)
        case ApiKey() as key:
            return (
                *(change.tenant_id, key.key_id, key.key_hash, key.subject, list(key.roles)),
                *(key.expires_at, key.revoked_at, *who_and_when),
            )
        case Retention() as kept:
            return (change.tenant_id, kept.keep_days, kept.cutoff, *who_and_when)
        case GapPolicy(channel, policy, is_withdrawn):
            fields = (getattr(policy, name) for name in _POLICY_COLUMNS)
            return (change.tenant_id, channel, *fields, is_withdrawn, *who_and_when)
        case AppliedPass() | PassActivation() | Subscription():
            return (*_pass_row(change.tenant_id, change.body), *who_and_when)
        case Webhook() as webhook:
            fields = (getattr(webhook, name) for name in _WEBHOOK_COLUMNS)
            return (change.tenant_id, *fields, *who_and_when)
        case unread:
            raise ValueError(f"{unread} has no table")


def _pass_row(tenant_id: str, body: AppliedPass | PassActivation | Subscription) -> tuple[Any, ...]:
    match body:
        case AppliedPass(definition, fingerprint):
            return (
                *(definition.name, definition.version, fingerprint, definition.kind.value),
                *(definition.category, definition.description, definition.priority),
                encode_definition(definition),
            )
        case PassActivation() as one:
            return (one.name, one.is_enabled, one.latest.version, versions_json(one))
        case Subscription() as one:
            return (tenant_id, one.is_category, one.target, one.is_enabled)
