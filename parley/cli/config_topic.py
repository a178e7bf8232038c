"""Reads what operators have set, and sets something: the config topic for commands."""

import getpass
import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from parley import clock
from parley.cli.log_reader import FromBeginning, Request, read
from parley.codec import InvalidRecord
from parley.codec.config import config_record, decode_config, parse_config_key
from parley.config import (
    ApiKey,
    ConfigChange,
    ConfigKey,
    ConfigKind,
    GapPolicy,
    Retention,
    Tenant,
)
from parley.errors import UserError
from parley.events import Policy
from parley.log.producer import Producer
from parley.policies import Policies, Scope
from parley.settings import Settings
from parley.topics import Topic
from parley.webhooks.webhook import Webhook

Body = TypeVar("Body", bound=Tenant | ApiKey | Retention | Webhook)


@dataclass(frozen=True, slots=True)
class Latest(Generic[Body]):
    """The latest record of one thing: what it is, and who changed it when."""

    tenant_id: str
    body: Body
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Configured:
    """What is set now: tenants by name, keys by id, retention by tenant, policies by scope.

    Webhooks by tenant and id, removed ones too.
    """

    tenants: dict[str, Latest[Tenant]]
    keys: dict[str, Latest[ApiKey]]
    retention: dict[str, Latest[Retention]]
    policies: Policies
    webhooks: dict[tuple[str, str], Latest[Webhook]] = field(default_factory=dict)

    def tenant(self, name: str) -> Latest[Tenant]:
        """The tenant of this name; raises UserError."""
        if name in self.tenants:
            return self.tenants[name]
        raise UserError(
            f"There is no tenant {name}.",
            f"Create it with `parley tenant create {name}`, or see `parley tenant list`.",
        )

    def key(self, key_id: str) -> Latest[ApiKey]:
        """The key of this id; raises UserError."""
        if key_id in self.keys:
            return self.keys[key_id]
        raise UserError(f"There is no key {key_id}.", "See all keys with `parley keys list`.")

    def key_state(self, latest: Latest[ApiKey], now: datetime) -> str:
        """Whether a gateway takes the key, and if not, why."""
        if latest.body.revoked_at is not None:
            return "revoked"
        if latest.body.is_expired(now):
            return "expired"
        tenant = self.tenants.get(latest.tenant_id)
        return "usable" if tenant is not None and tenant.body.is_enabled else "tenant disabled"


async def read_configured(settings: Settings) -> Configured:
    """What is set now; raises UserError without Kafka or the topic."""
    configured = Configured({}, {}, {}, Policies(settings.gap_policies()))
    async for record in read(settings, Request(Topic.CONFIG, FromBeginning())):
        try:
            _apply(configured, decode_config(record))
        except InvalidRecord:
            # Gateways forget what it was about too, and say so in their logs and metrics.
            _forget(configured, parse_config_key(record.key))
    return configured


async def policy_now(settings: Settings, tenant_id: str, channel: str) -> Policy:
    """The gap policy that a writer stamps on an event now; raises UserError."""
    return (await read_configured(settings)).policies.policy_for(tenant_id, channel)


def _apply(configured: Configured, change: ConfigChange) -> None:
    tenant_id, who, when = change.tenant_id, change.changed_by, change.changed_at
    match change.body:
        case Tenant() as tenant:
            configured.tenants[tenant.name] = Latest(tenant_id, tenant, who, when)
        case ApiKey() as key:
            configured.keys[key.key_id] = Latest(tenant_id, key, who, when)
        case Retention() as retention:
            configured.retention[tenant_id] = Latest(tenant_id, retention, who, when)
        case GapPolicy():
            configured.policies.apply(change)
        case Webhook(webhook_id) as webhook:
            configured.webhooks[tenant_id, webhook_id] = Latest(tenant_id, webhook, who, when)


def _forget(configured: Configured, about: ConfigKey | None) -> None:
    if about is None:
        return
    if about.kind is ConfigKind.GAP_POLICY:
        configured.policies.forget(about)
        return
    if about.kind is ConfigKind.WEBHOOK:
        configured.webhooks.pop((about.tenant_id, about.name), None)
        return
    known: dict[ConfigKind, dict[str, Any]] = {
        ConfigKind.TENANT: configured.tenants,
        ConfigKind.API_KEY: configured.keys,
        ConfigKind.RETENTION: configured.retention,
    }
    name = about.tenant_id if about.kind is ConfigKind.RETENTION else about.name
    known[about.kind].pop(name, None)


async def configure(
    settings: Settings, tenant_id: str, body: Tenant | ApiKey | Retention | GapPolicy | Webhook
) -> Configured:
    """Set something, and return what is set then; it is durable by then.

    Raises UserError without Kafka or the topic, and where somebody else set the same thing
    differently at the same moment.
    """
    change = ConfigChange(tenant_id, who(), clock.now(), body)
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    finally:
        await producer.stop()
    configured = await read_configured(settings)
    if not _holds(configured, change):
        raise UserError(
            "Somebody else changed the same at the same moment.",
            "See what is set now, and run the command again if it is not what you want.",
        )
    return configured


def _holds(configured: Configured, mine: ConfigChange) -> bool:
    if isinstance(mine.body, GapPolicy):
        versions = configured.policies.versions(Scope(mine.tenant_id, mine.body.channel))
        return mine in versions
    latest: list[Latest[Any]] = [
        *configured.tenants.values(),
        *configured.keys.values(),
        *configured.retention.values(),
        *configured.webhooks.values(),
    ]
    return any(
        (one.tenant_id, one.body, one.changed_by, one.changed_at)
        == (mine.tenant_id, mine.body, mine.changed_by, mine.changed_at)
        for one in latest
    )


def who() -> str:
    """Who runs the command, for those who ask later who changed what."""
    # A container's user may have no name.
    with suppress(KeyError, OSError):
        return getpass.getuser()
    return f"uid {os.getuid()}"
