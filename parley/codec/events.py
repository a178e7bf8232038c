"""Records of parley.events.v1 to events and back."""

from dataclasses import fields
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from parley.codec.bodies import message_bytes, read_body, write_body
from parley.codec.policies import policy_of, write_policy
from parley.codec.record import Header, InvalidRecord, LogRecord, event_key, headers_for
from parley.codec.times import set_timestamp, to_datetime
from parley.codec.usual import message_reader, shape_of
from parley.codec.validity import (
    RECEIVED_AT_TOLERANCE,
    check,
    check_all_but_policy,
    check_ids,
    check_message,
    check_times,
)
from parley.codec.wire_fields import length, tag, timestamp
from parley.events import PARTITION_WIDE, Content, Event, MessageRecorded, Policy
from parley.values import maker
from parley.wire import events_pb2

EVENT_HEADERS: Final[tuple[Header, ...]] = headers_for("parley.v1.Event")

# A message, by what a glance calls it.
MESSAGE_KIND: Final = "message_recorded"

_SOURCE_FIELDS: Final = (
    "tenant_id",
    "conversation_id",
    "session_id",
    "user_id",
    "sender",
    "client_id",
    "connection_id",
    "gateway_id",
    "channel",
)
_TEXT_FIELDS: Final = ("event_id", "client_message_id", *_SOURCE_FIELDS)
_EVENT_ID: Final = tag(events_pb2.Event, "event_id")
_CLIENT_MESSAGE_ID: Final = tag(events_pb2.Event, "client_message_id")
_OCCURRED_AT: Final = tag(events_pb2.Event, "occurred_at")
_SENT_AT: Final = tag(events_pb2.Event, "sent_at")
_RECEIVED_AT: Final = tag(events_pb2.Event, "received_at")
_EVENT_TIME: Final = tag(events_pb2.Event, "event_time")
_MESSAGE: Final = tag(events_pb2.Event, "message_recorded")
_TIME_FIELDS: Final = ("occurred_at", "sent_at", "received_at", "event_time")

_CONTENT: Final = shape_of(Content, Content._fields, audio_url="audio_url or None")
_usual: Final = message_reader(
    shape_of(
        maker(Event),
        (one.name for one in fields(Event)),
        body=shape_of(MessageRecorded, MessageRecorded._fields, content=_CONTENT),
        import_id="import_id or None",
    ),
    EVENT_HEADERS,
)


def encode_event(event: Event) -> bytes:
    """The record's value."""
    wire = events_pb2.Event()
    for name in _TEXT_FIELDS:
        setattr(wire, name, getattr(event, name))
    for name in _TIME_FIELDS:
        moment = getattr(event, name)
        if moment is not None:
            set_timestamp(getattr(wire, name), moment)
    if event.import_id is not None:
        wire.import_id = event.import_id
    if not isinstance(event.body, PARTITION_WIDE):
        write_policy(wire.policy, event.policy)
    write_body(wire, event.body)
    return wire.SerializeToString()


class MessageTemplate:
    """Checks and encodes the messages of one source, of which most of the envelope is the same.

    That part is checked and written once: Protobuf messages that are written one after the other
    are read as one. So a message costs a quarter of `check` and `encode_event`, which say the same.
    """

    def __init__(self, message: Event) -> None:
        """`message` is the first one, or any other; raises InvalidRecord where it is not valid."""
        check(message)
        wire = events_pb2.Event()
        for name in _SOURCE_FIELDS:
            setattr(wire, name, getattr(message, name))
        write_policy(wire.policy, message.policy)
        # All ids of events are as long as this one.
        self._before_event_id = wire.SerializeToString() + _EVENT_ID + length(len(message.event_id))

    def encode(
        self,
        event_id: str,
        client_message_id: str,
        message: MessageRecorded,
        event_time: datetime,
        received_at: datetime,
        occurred_at: datetime | None = None,
        sent_at: datetime | None = None,
    ) -> bytes:
        """The record's value; raises InvalidRecord for what no consumer would take.

        `event_id` is not checked: it is one that `parley.ids` made.
        """
        check_ids(client_message_id)
        check_message(message)
        times = _gateways_times(received_at, event_time)
        if occurred_at is not None or sent_at is not None:
            times += _clients_times(occurred_at, sent_at)
        client_id, body = client_message_id.encode(), message_bytes(message)
        return b"".join(
            (
                self._before_event_id,
                event_id.encode(),
                _CLIENT_MESSAGE_ID,
                length(len(client_id)),
                client_id,
                times,
                _MESSAGE,
                length(len(body)),
                body,
            )
        )


# What is read together was received at the same moment, and mostly happened then.
@lru_cache(maxsize=64)
def _gateways_times(received_at: datetime, event_time: datetime) -> bytes:
    """The gateway's times of an event; raises InvalidRecord for years that are not believed."""
    check_times(received_at, event_time)
    return _RECEIVED_AT + timestamp(received_at) + _EVENT_TIME + timestamp(event_time)


def _clients_times(occurred_at: datetime | None, sent_at: datetime | None) -> bytes:
    """What the client's clock said; raises InvalidRecord for years that are not believed."""
    check_times(occurred_at, sent_at)
    written = b"" if occurred_at is None else _OCCURRED_AT + timestamp(occurred_at)
    return written if sent_at is None else written + _SENT_AT + timestamp(sent_at)


def decode_event(record: LogRecord) -> Event:
    """The event of a record, as every consumer sees it; raises InvalidRecord.

    `received_at` is held within 5 minutes of the record's append time, and the event time of
    what is not imported moves along: a gateway with a wrong clock seals nobody early.
    """
    usual: Event | None = _usual((record,), None)[0]
    return usual or read_closely(record)


def read_closely(record: LogRecord) -> Event:
    """Any event, with every rule looked at; raises InvalidRecord."""
    wire = _parse(record.value)
    policy, policy_fault = policy_of(wire)
    event = _to_event(wire, policy, record.append_time())
    record.source()
    check_all_but_policy(event)
    if not isinstance(event.body, PARTITION_WIDE):
        if policy_fault is not None:
            raise InvalidRecord("policy", policy_fault)
        _check_key(record.key, event)
    return event


class Glance(NamedTuple):
    """What a record tells at a tenth of the cost of reading its event; nothing of it is checked."""

    kind: str | None
    event_id: str
    user_id: str


def glance_at(value: bytes | None) -> Glance | None:
    """The first look at a record; None for what is no event. `kind` names the body on the wire."""
    try:
        wire = events_pb2.Event.FromString(value or b"")
    except DecodeError:
        return None
    kind: str | None = wire.WhichOneof("body")
    return Glance(kind, wire.event_id, wire.user_id)


def body_digest(value: bytes) -> bytes:
    """sha256 of a valid record's body: equal for copies of one event, whatever their envelope."""
    wire = events_pb2.Event.FromString(value)
    name = wire.WhichOneof("body") or ""
    body = getattr(wire, name).SerializeToString(deterministic=True)
    return sha256(name.encode() + b":" + body).digest()


def _parse(value: bytes | None) -> events_pb2.Event:
    if value is None:
        raise InvalidRecord("no_value", "the record has no value")
    try:
        return events_pb2.Event.FromString(value)
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not an Event") from error


def _to_event(wire: events_pb2.Event, policy: Policy, append_time: datetime) -> Event:
    if not wire.HasField("received_at") or not wire.HasField("event_time"):
        raise InvalidRecord("time", "received_at and event_time must be set")
    import_id = wire.import_id if wire.HasField("import_id") else None
    received_at, event_time = _times(wire, append_time, import_id is not None)
    return Event(
        event_id=wire.event_id,
        body=read_body(wire),
        event_time=event_time,
        received_at=received_at,
        tenant_id=wire.tenant_id,
        conversation_id=wire.conversation_id,
        session_id=wire.session_id,
        user_id=wire.user_id,
        sender=wire.sender,
        client_id=wire.client_id,
        client_message_id=wire.client_message_id,
        connection_id=wire.connection_id,
        gateway_id=wire.gateway_id,
        channel=wire.channel,
        occurred_at=to_datetime(wire.occurred_at) if wire.HasField("occurred_at") else None,
        sent_at=to_datetime(wire.sent_at) if wire.HasField("sent_at") else None,
        policy=policy,
        import_id=import_id,
    )


def _times(
    wire: events_pb2.Event, append_time: datetime, is_imported: bool
) -> tuple[datetime, datetime]:
    """When it was received, held to the broker's clock, and when it happened."""
    stated, event_time = to_datetime(wire.received_at), to_datetime(wire.event_time)
    if -RECEIVED_AT_TOLERANCE <= stated - append_time <= RECEIVED_AT_TOLERANCE:
        return stated, event_time
    try:
        received_at = _hold(stated, append_time)
        return received_at, event_time if is_imported else event_time + (received_at - stated)
    except OverflowError as error:
        raise InvalidRecord("time", "the times are outside the calendar") from error


def _hold(stated: datetime, append_time: datetime) -> datetime:
    earliest = append_time - RECEIVED_AT_TOLERANCE
    latest = append_time + RECEIVED_AT_TOLERANCE
    return min(max(stated, earliest), latest)


def _check_key(key: bytes | None, event: Event) -> None:
    # Another key means another partition: the conversation's one order would be lost.
    if key != event_key(event.tenant_id, event.conversation_id):
        raise InvalidRecord("key", "the record's key does not name the event's conversation")
