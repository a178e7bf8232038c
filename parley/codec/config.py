"""Records of parley.config.v1 to what operators set and back, and the keys they are kept by."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError

from parley.codec.passes import READERS, WRITERS
from parley.codec.policies import read_policy, write_policy
from parley.codec.record import Header, InvalidRecord, LogRecord, Outgoing, headers_for
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.validity import check_ids, check_name, check_policy
from parley.codec.webhooks import read_webhook, write_webhook
from parley.config import (
    VERSIONED,
    ApiKey,
    ConfigBody,
    ConfigChange,
    ConfigKey,
    ConfigKind,
    GapPolicy,
    Retention,
    Tenant,
    Unread,
)
from parley.passes.applied import AppliedPass, PassActivation, Subscription
from parley.webhooks.webhook import Webhook
from parley.wire import config_pb2

CONFIG_HEADERS: Final[tuple[Header, ...]] = headers_for("parley.v1.Config")

_READERS: Final[Mapping[str, Callable[[config_pb2.Config], ConfigBody]]] = {
    **READERS,
    "webhook": read_webhook,
}
_WRITERS: Final[Mapping[type, tuple[str, Callable[[Any, Any], None]]]] = {
    **WRITERS,
    Webhook: ("webhook", write_webhook),
}

_HASH_BYTES: Final = 32
# What is kept so long: there may be more than tables one day.
_TABLES: Final = "tables"
_GREATEST_VERSION: Final = 2**63 - 1


def config_key(change: ConfigChange) -> bytes:
    """The record's key, by which compaction keeps the latest: kind, tenant, name and version.

    Tenants and API keys have no versions: a revocation is to replace what it revokes. Of policies
    and passes every version stays. Raises ValueError for what this part of Parley does not write.
    """
    match change.body:
        case Tenant(name):
            about = ConfigKey(ConfigKind.TENANT, change.tenant_id, name)
        case ApiKey(key_id):
            about = ConfigKey(ConfigKind.API_KEY, change.tenant_id, key_id)
        case Retention():
            about = ConfigKey(ConfigKind.RETENTION, change.tenant_id, _TABLES)
        case GapPolicy(channel, policy):
            about = ConfigKey(ConfigKind.GAP_POLICY, change.tenant_id, channel, policy.version)
        case AppliedPass() as applied:
            about = ConfigKey(ConfigKind.DEFINITION, "", applied.name, applied.version)
        case PassActivation(name):
            about = ConfigKey(ConfigKind.ACTIVATION, "", name)
        case Subscription() as subscription:
            about = ConfigKey(ConfigKind.SUBSCRIPTION, change.tenant_id, subscription.about)
        case Webhook(webhook_id):
            about = ConfigKey(ConfigKind.WEBHOOK, change.tenant_id, webhook_id)
        case Unread(field):
            raise ValueError(f"a {field} is not written here")
    return _key(*about)


def _key(kind: ConfigKind, tenant_id: str, name: str, version: int = 0) -> bytes:
    # NUL, which no name may hold, parts the four.
    return f"{kind}\0{tenant_id}\0{name}\0{version or ''}".encode()


def parse_config_key(key: bytes | None) -> ConfigKey | None:
    """What a record is about; None where it is nothing read here."""
    try:
        kind, tenant_id, name, version = (key or b"").decode().split("\0")
        about = ConfigKey(ConfigKind(kind), tenant_id, name, int(version or 0))
    except ValueError:
        return None
    is_versioned = about.kind in VERSIONED
    is_as_written = _key(*about) == key and is_versioned == (about.version > 0)
    return about if is_as_written and about.version <= _GREATEST_VERSION else None


def encode_config(change: ConfigChange) -> bytes:
    """The record's value."""
    wire = config_pb2.Config(tenant_id=change.tenant_id, changed_by=change.changed_by)
    set_timestamp(wire.changed_at, change.changed_at)
    match change.body:
        case Tenant() as tenant:
            wire.tenant.name = tenant.name
            wire.tenant.display_name = tenant.display_name
            wire.tenant.is_enabled = tenant.is_enabled
        case ApiKey() as key:
            _write_key(wire.api_key, key)
        case Retention() as retention:
            _write_retention(wire.retention, retention)
        case GapPolicy(channel, policy, is_withdrawn):
            wire.gap_policy.channel = channel
            wire.gap_policy.is_withdrawn = is_withdrawn
            write_policy(wire.gap_policy.policy, policy)
        case AppliedPass() | PassActivation() | Subscription() | Webhook() as body:
            field, write = _WRITERS[type(body)]
            write(getattr(wire, field), body)
        case Unread(field):
            raise ValueError(f"a {field} is not written here")
    return wire.SerializeToString(deterministic=True)


def _write_key(wire: config_pb2.ApiKey, key: ApiKey) -> None:
    wire.key_id = key.key_id
    wire.key_hash = key.key_hash
    wire.subject = key.subject
    wire.roles.extend(key.roles)
    if key.expires_at is not None:
        set_timestamp(wire.expires_at, key.expires_at)
    if key.revoked_at is not None:
        set_timestamp(wire.revoked_at, key.revoked_at)


def _write_retention(wire: config_pb2.Retention, retention: Retention) -> None:
    # Present also where it keeps everything for ever.
    wire.SetInParent()
    if retention.keep_days is not None:
        wire.keep_days = retention.keep_days
    if retention.cutoff is not None:
        set_timestamp(wire.cutoff, retention.cutoff)


def config_record(topic: str, change: ConfigChange) -> Outgoing:
    """The record that makes the change."""
    return Outgoing(topic, config_key(change), encode_config(change), CONFIG_HEADERS)


def decode_config(record: LogRecord) -> ConfigChange:
    """The change that a record makes; raises InvalidRecord.

    A record under another thing's key is invalid, since compaction would drop the wrong one.
    """
    if record.value is None:
        raise InvalidRecord("no_value", "the record has no value")
    try:
        wire = config_pb2.Config.FromString(record.value)
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not a Config") from error
    _check_texts(wire.changed_by, wire.tenant.display_name, *wire.api_key.roles)
    change = ConfigChange(
        wire.tenant_id, wire.changed_by, to_datetime(wire.changed_at), _body(wire)
    )
    if not isinstance(change.body, Unread) and record.key != config_key(change):
        raise InvalidRecord("key", "the record has the key of something else")
    return change


def _body(wire: config_pb2.Config) -> ConfigBody:
    field = wire.WhichOneof("body")
    if field is None:
        raise InvalidRecord("body", "the record sets nothing that this release knows")
    if field == "tenant":
        return _tenant(wire)
    if field == "api_key":
        return _api_key(wire)
    if field == "retention":
        return _retention(wire)
    if field == "gap_policy":
        return _gap_policy(wire)
    if field in _READERS:
        return _READERS[field](wire)
    return Unread(field)


def _tenant(wire: config_pb2.Config) -> Tenant:
    part = wire.tenant
    check_name("tenant", part.name)
    if wire.tenant_id != part.name:
        raise InvalidRecord("tenant", "a tenant's record names another tenant")
    return Tenant(part.name, part.display_name, part.is_enabled)


def _api_key(wire: config_pb2.Config) -> ApiKey:
    part = wire.api_key
    for name, text in (
        ("tenant", wire.tenant_id),
        ("key id", part.key_id),
        ("subject", part.subject),
    ):
        check_name(name, text)
    if len(part.key_hash) != _HASH_BYTES:
        raise InvalidRecord("key_hash", f"a key's hash has {_HASH_BYTES} bytes")
    return ApiKey(
        part.key_id,
        part.key_hash,
        part.subject,
        tuple(part.roles),
        to_datetime(part.expires_at) if part.HasField("expires_at") else None,
        to_datetime(part.revoked_at) if part.HasField("revoked_at") else None,
    )


def _retention(wire: config_pb2.Config) -> Retention:
    part = wire.retention
    check_name("tenant", wire.tenant_id)
    keep_days = part.keep_days if part.HasField("keep_days") else None
    if keep_days is not None and keep_days < 1:
        raise InvalidRecord("keep_days", "a retention keeps at least a day")
    return Retention(keep_days, to_datetime(part.cutoff) if part.HasField("cutoff") else None)


def _gap_policy(wire: config_pb2.Config) -> GapPolicy:
    part = wire.gap_policy
    policy = read_policy(part.policy)
    check_ids(wire.tenant_id, part.channel)
    check_name("policy", policy.policy_id)
    check_policy(policy)
    if policy.version < 1:
        raise InvalidRecord("policy", "a policy's versions begin at 1")
    return GapPolicy(part.channel, policy, part.is_withdrawn)


def _check_texts(*texts: str) -> None:
    # PostgreSQL's text cannot hold it.
    if any("\0" in text for text in texts):
        raise InvalidRecord("nul", "a text holds a NUL character")
