"""Records of parley.seals.v1 to seals and back."""

from typing import Final

from google.protobuf.message import DecodeError

from parley.codec.record import Header, InvalidRecord, enum_name, headers_for
from parley.codec.times import set_duration, set_timestamp, to_datetime, to_timedelta
from parley.codec.validity import check_ids, check_uuid
from parley.events import EndReason
from parley.seals import Cut, Seal, SealCause, SegmentRetracted, SegmentSealed, SessionSettled
from parley.values import maker
from parley.wire import events_pb2, seals_pb2

MAX_REVISION: Final = 2**62
SEAL_HEADERS: Final[tuple[Header, ...]] = headers_for("parley.v1.Seal")

# Fields of SegmentSealed that have the same name and form on the wire.
_SAME: Final = (
    "segment_id",
    "revision",
    "previous_revision",
    "first_event_id",
    "last_event_id",
    "message_count",
    "member_digest",
    "first_offset",
    "last_offset",
    "incarnation",
    "partition",
    "decided_offset",
    "policy_id",
    "policy_version",
    "rule_version",
    "opening_event_id",
    "channel",
    "participant_count",
    "user_count",
)

_UUIDS: Final = ("segment_id", "first_event_id", "last_event_id", "opening_event_id")

_CAUSES: Final = {one.value: one for one in SealCause}
_REASONS: Final = {one.value: one for one in EndReason}
# Of all fields in their order: their constructors take as long as all else.
_segment_sealed: Final = maker(SegmentSealed)
_session_settled: Final = maker(SessionSettled)


def encode_seal(seal: Seal) -> bytes:
    """The record's value."""
    wire = seals_pb2.Seal(tenant_id=seal.tenant_id, conversation_id=seal.conversation_id)
    if isinstance(seal, SegmentSealed):
        _write_segment(wire.segment_sealed, seal)
    else:
        _write_session(wire.session_settled, seal)
    return wire.SerializeToString(deterministic=True)


def decode_seal(value: bytes | None) -> Seal:
    """The seal of a record; raises InvalidRecord."""
    if value is None:
        raise InvalidRecord("no_value", "the record has no value")
    try:
        wire = seals_pb2.Seal.FromString(value)
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not a Seal") from error
    match wire.WhichOneof("body"):
        case "segment_sealed":
            return _segment(wire)
        case "session_settled":
            return _session(wire)
        case _:
            raise InvalidRecord("body", "the seal has no body that this release knows")


def _write_segment(wire: seals_pb2.SegmentSealed, seal: SegmentSealed) -> None:
    for name in _SAME:
        setattr(wire, name, getattr(seal, name))
    wire.cause = getattr(seals_pb2, f"SEAL_CAUSE_{seal.cause.name}")
    for name in ("started_at", "ended_at", "watermark"):
        set_timestamp(getattr(wire, name), getattr(seal, name))
    set_duration(wire.idle_gap, seal.idle_gap)
    wire.participants.extend(seal.participants)
    wire.user_ids.extend(seal.user_ids)
    if seal.cut is not None:
        set_timestamp(wire.cut.event_time, seal.cut.event_time)
        wire.cut.event_id = seal.cut.event_id
    for one in seal.retracted:
        wire.retracted.add(
            segment_id=one.segment_id, revision=one.revision, merged_into=one.merged_into
        )


def _segment(wire: seals_pb2.Seal) -> SegmentSealed:
    part = wire.segment_sealed
    for name in _UUIDS:
        check_uuid(name, getattr(part, name))
    check_ids(wire.tenant_id, wire.conversation_id, part.incarnation, part.channel)
    _check_revision(part.revision)
    return _segment_sealed(
        wire.tenant_id,
        wire.conversation_id,
        part.segment_id,
        part.revision,
        part.previous_revision,
        _CAUSES[enum_name("SEAL_CAUSE_", seals_pb2.SealCause, part.cause)],
        to_datetime(part.started_at),
        to_datetime(part.ended_at),
        part.first_event_id,
        part.last_event_id,
        part.message_count,
        part.member_digest,
        part.first_offset,
        part.last_offset,
        part.incarnation,
        part.partition,
        part.decided_offset,
        to_datetime(part.watermark),
        part.policy_id,
        part.policy_version,
        part.rule_version,
        part.opening_event_id,
        part.channel,
        tuple(part.participants),
        tuple(part.user_ids),
        _cut(part.cut) if part.HasField("cut") else None,
        tuple([_retracted(one) for one in part.retracted]),
        part.participant_count,
        part.user_count,
        to_timedelta(part.idle_gap),
    )


def _cut(wire: seals_pb2.Cut) -> Cut:
    check_uuid("cut", wire.event_id)
    return Cut(to_datetime(wire.event_time), wire.event_id)


def _retracted(wire: seals_pb2.SegmentRetracted) -> SegmentRetracted:
    _check_revision(wire.revision)
    check_uuid("retracted", wire.segment_id)
    check_uuid("merged_into", wire.merged_into)
    return SegmentRetracted(wire.segment_id, wire.revision, wire.merged_into)


def _check_revision(revision: int) -> None:
    # Who reads it adds to it.
    if not 0 < revision <= MAX_REVISION:
        raise InvalidRecord("revision", f"a revision must be between 1 and {MAX_REVISION}")


def _write_session(wire: seals_pb2.SessionSettled, seal: SessionSettled) -> None:
    for name in ("session_id", "generation", "incarnation", "partition", "decided_offset"):
        setattr(wire, name, getattr(seal, name))
    wire.reason = getattr(events_pb2, f"SESSION_END_REASON_{seal.reason.name}")
    set_timestamp(wire.ended_at, seal.ended_at)
    set_timestamp(wire.watermark, seal.watermark)


def _session(wire: seals_pb2.Seal) -> SessionSettled:
    part = wire.session_settled
    return _session_settled(
        wire.tenant_id,
        wire.conversation_id,
        part.session_id,
        part.generation,
        _REASONS[enum_name("SESSION_END_REASON_", events_pb2.SessionEndReason, part.reason)],
        to_datetime(part.ended_at),
        part.incarnation,
        part.partition,
        part.decided_offset,
        to_datetime(part.watermark),
    )
