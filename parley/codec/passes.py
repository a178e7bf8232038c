"""What operators say of passes: records of parley.config.v1 to values and back."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from parley.codec.definitions import decode_definition, encode_definition
from parley.codec.record import InvalidRecord, enum_name
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.validity import check_ids, check_name
from parley.passes.applied import (
    MAX_ACTIVE_VERSIONS,
    ActiveVersion,
    AppliedPass,
    PassActivation,
    SealsPosition,
    Subscription,
)
from parley.wire import config_pb2

_FINGERPRINT_DIGITS: Final = 64


def write_pass(wire: config_pb2.PassDefinition, applied: AppliedPass) -> None:
    """Write the version of a pass into a field of a message."""
    definition = applied.definition
    for field in ("name", "version", "category", "description", "priority"):
        setattr(wire, field, getattr(definition, field))
    wire.fingerprint = applied.fingerprint
    wire.kind = getattr(config_pb2, f"PASS_KIND_{definition.kind.name}")
    wire.definition_json = encode_definition(definition)


def read_pass(wire: config_pb2.Config) -> AppliedPass:
    """A version of a pass, which belongs to no tenant; raises InvalidRecord."""
    _check_no_tenant(wire)
    part = wire.pass_definition
    definition = decode_definition(part.definition_json)
    kind = enum_name("PASS_KIND_", config_pb2.PassKind, part.kind)
    if (part.name, part.version, kind) != (definition.name, definition.version, definition.kind):
        raise InvalidRecord("definition", "the definition is of another pass than the record")
    if len(part.fingerprint) != _FINGERPRINT_DIGITS or not part.fingerprint.isascii():
        raise InvalidRecord("fingerprint", f"a fingerprint has {_FINGERPRINT_DIGITS} digits")
    return AppliedPass(definition, part.fingerprint)


def write_activation(wire: config_pb2.PassActivation, activation: PassActivation) -> None:
    """Write which version is in force into a field of a message."""
    wire.name, wire.is_enabled = activation.name, activation.is_enabled
    for one in activation.versions:
        added = wire.versions.add(version=one.version)
        set_timestamp(added.activated_at, one.activated_at)
        if one.since is not None:
            added.since.incarnation = one.since.incarnation
            added.since.offsets.extend(one.since.offsets)
    if activation.resumed_at is not None:
        set_timestamp(wire.resumed_at, activation.resumed_at)


def read_activation(wire: config_pb2.Config) -> PassActivation:
    """Which version of a pass is in force; raises InvalidRecord."""
    _check_no_tenant(wire)
    part = wire.pass_activation
    check_name("pass", part.name)
    if not 1 <= len(part.versions) <= MAX_ACTIVE_VERSIONS:
        raise InvalidRecord("activation", f"an activation has 1 to {MAX_ACTIVE_VERSIONS} versions")
    resumed_at = to_datetime(part.resumed_at) if part.HasField("resumed_at") else None
    return PassActivation(
        part.name, part.is_enabled, tuple(map(_active, part.versions)), resumed_at
    )


def _active(wire: config_pb2.ActiveVersion) -> ActiveVersion:
    since = _position(wire.since) if wire.HasField("since") else None
    if wire.version < 1 or (since is not None and min(since.offsets, default=0) < 0):
        raise InvalidRecord("activation", "versions begin at 1, and offsets at 0")
    return ActiveVersion(wire.version, to_datetime(wire.activated_at), since)


def _position(wire: config_pb2.SealsPosition) -> SealsPosition:
    check_ids(wire.incarnation)
    return SealsPosition(wire.incarnation, tuple(wire.offsets))


def write_subscription(wire: config_pb2.Subscription, subscription: Subscription) -> None:
    """Write what a tenant wants into a field of a message."""
    wire.target = subscription.target
    wire.is_category = subscription.is_category
    wire.is_enabled = subscription.is_enabled


def read_subscription(wire: config_pb2.Config) -> Subscription:
    """What a tenant wants; raises InvalidRecord."""
    check_name("tenant", wire.tenant_id)
    part = wire.subscription
    check_name("target", part.target)
    return Subscription(part.target, part.is_category, part.is_enabled)


def _check_no_tenant(wire: config_pb2.Config) -> None:
    if wire.tenant_id:
        raise InvalidRecord("tenant", "passes belong to no tenant")


WRITERS: Final[Mapping[type, tuple[str, Callable[[Any, Any], None]]]] = {
    AppliedPass: ("pass_definition", write_pass),
    PassActivation: ("pass_activation", write_activation),
    Subscription: ("subscription", write_subscription),
}
READERS: Final[
    Mapping[str, Callable[[config_pb2.Config], AppliedPass | PassActivation | Subscription]]
] = {
    "pass_definition": read_pass,
    "pass_activation": read_activation,
    "subscription": read_subscription,
}
