"""Writes what operators have set, each thing as it was last set; of policies every version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from parley.config import (
    ApiKey,
    ConfigChange,
    ConfigKey,
    ConfigKind,
    GapPolicy,
    Retention,
    Tenant,
)
from parley.db.pool import Connection
from parley.db.sql import load
from parley.events import Policy
from parley.policies import Policies

_SQL: Final = load(__package__, "config.sql")
# Named as the fields of a Policy.
_POLICY_COLUMNS: Final = (
    *("policy_id", "version", "idle_gap", "grace"),
    *("seal_on_end", "max_duration", "max_messages"),
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
    is_versioned = about.kind is ConfigKind.GAP_POLICY
    return about[1:] if is_versioned else (about.tenant_id, about.name)


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
        case unread:
            raise ValueError(f"{unread} has no table")
