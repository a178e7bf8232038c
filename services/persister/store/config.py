"""Writes what operators have set: tenants, keys and retention, each as it was last set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from parley.config import ApiKey, ConfigChange, ConfigKind, Retention, Tenant
from parley.db.pool import Connection
from parley.db.sql import load

_SQL: Final = load(__package__, "config.sql")


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing of one tenant, and what its latest record says; None where that says nothing."""

    kind: ConfigKind
    tenant_id: str
    name: str
    change: ConfigChange | None


async def write_settings(connection: Connection, settings: Sequence[Setting]) -> None:
    """Let each count, in their order, within the caller's transaction."""
    for one in settings:
        if one.change is None:
            await connection.execute(_SQL[f"forget_{one.kind}"], one.tenant_id, one.name)
        else:
            await connection.execute(_SQL[f"save_{one.kind}"], *_row(one.change))


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
        case unread:
            raise ValueError(f"{unread} has no table")
