"""Records of parley.seals.v1 to seals and back."""

from operator import attrgetter
from typing import Final

from google.protobuf.message import DecodeError

from parley.codec.record import Header, InvalidRecord, enum_name, headers_for
from parley.codec.times import set_duration, set_timestamp, to_datetime, to_timedelta
from parley.codec.validity import check_ids, check_uuid
from parley.events import EndReason
from parley.seals import Cut, Seal, SealCause, SegmentRetracted, SegmentSealed, SessionSettled
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

_same_of: Final = attrgetter(*_SAME)

_CAUSES: Final = {one.value: one for one in SealCause}
_UUIDS: Final = ("segment_id", "first_event_id", "last_event_id", "opening_event_id")


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
    same = dict(zip(_SAME, _same_of(part), strict=True))
    for name in _UUIDS:
        check_uuid(name, same[name])
    check_ids(wire.tenant_id, wire.conversation_id, same["incarnation"], same["channel"])
    _check_revision(same["revision"])
    return SegmentSealed(
        tenant_id=wire.tenant_id,
        conversation_id=wire.conversation_id,
        cause=_CAUSES[enum_name("SEAL_CAUSE_", seals_pb2.SealCause, part.cause)],
        started_at=to_datetime(part.started_at),
        ended_at=to_datetime(part.ended_at),
        watermark=to_datetime(part.watermark),
        idle_gap=to_timedelta(part.idle_gap),
        participants=tuple(part.participants),
        user_ids=tuple(part.user_ids),
        cut=_cut(part.cut) if part.HasField("cut") else None,
        retracted=tuple([_retracted(one) for one in part.retracted]),
        **same,
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
    reason = enum_name("SESSION_END_REASON_", events_pb2.SessionEndReason, part.reason)
    return SessionSettled(
        tenant_id=wire.tenant_id,
        conversation_id=wire.conversation_id,
        session_id=part.session_id,
        generation=part.generation,
        reason=EndReason(reason),
        ended_at=to_datetime(part.ended_at),
        incarnation=part.incarnation,
        partition=part.partition,
        decided_offset=part.decided_offset,
        watermark=to_datetime(part.watermark),
    )
