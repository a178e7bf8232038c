"""Makes an event of what somebody typed, and refuses what no consumer would take."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from google.protobuf.json_format import ParseDict, ParseError

from parley import ids
from parley.codec import InvalidRecord, LogRecord, Outgoing, decode_event, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.policies import write_policy
from parley.codec.times import set_timestamp
from parley.errors import UserError
from parley.events import PARTITION_WIDE, Event, Policy
from parley.log.producer import RecordTooLarge, check_size
from parley.wire import events_pb2

NOTHING_WRITTEN: Final = "Nothing was written. Mend it, and run the command again."


@dataclass(frozen=True, slots=True)
class Now:
    """What the writer adds: the moment, who writes, and where to."""

    at: datetime
    sender: str
    topic: str


def wire_of(fields: dict[str, Any]) -> events_pb2.Event:
    """An event in Protobuf's JSON, as `parley tail -o json` shows them; raises UserError."""
    wire = events_pb2.Event()
    try:
        ParseDict(fields, wire)
    except ParseError as error:
        raise UserError(f"This is no event: {error}", NOTHING_WRITTEN) from error
    if wire.HasField("import_id"):
        raise UserError(
            "An event with an importId belongs to an import.",
            "Bring the past in with `parley import`, which also says where it ends.",
        )
    return wire


def completed(wire: events_pb2.Event, now: Now, policy: Policy) -> bytes:
    """The record's value: what was left out is added, what was said is not changed."""
    wire.sender = wire.sender or now.sender
    wire.event_id = wire.event_id or _event_id(wire)
    for name in ("received_at", "event_time"):
        if not wire.HasField(name):
            set_timestamp(getattr(wire, name), now.at)
    if not wire.HasField("policy"):
        write_policy(wire.policy, policy)
    return wire.SerializeToString()


def _event_id(wire: events_pb2.Event) -> str:
    # As the gateway's: the same id of the same client is the same message, however often.
    if wire.client_message_id:
        return ids.message_event_id(
            wire.tenant_id,
            wire.conversation_id,
            wire.sender,
            wire.client_id,
            wire.client_message_id,
        )
    return ids.random_id()


def record_of(value: bytes, now: Now) -> tuple[Outgoing, Event]:
    """The record, and the event as every consumer will see it; raises UserError."""
    wire = events_pb2.Event.FromString(value)
    key = event_key(wire.tenant_id, wire.conversation_id)
    outgoing = Outgoing(now.topic, key, value, EVENT_HEADERS)
    try:
        event = decode_event(LogRecord(now.topic, 0, 0, now.at, key, value, EVENT_HEADERS))
        check_size(outgoing)
    except InvalidRecord as error:
        why = error.detail or error.reason
        raise UserError(f"No consumer would take this event: {why}.", NOTHING_WRITTEN) from error
    except RecordTooLarge as error:
        raise UserError(f"The event is too large: {error}.", NOTHING_WRITTEN) from error
    if isinstance(event.body, PARTITION_WIDE):
        raise UserError(
            "This event concerns a whole partition, and only services write such.",
            "`parley rules activate` and `parley import` have some written.",
        )
    return outgoing, event


def encoded(event: Event) -> events_pb2.Event:
    """An event of the options, to be completed as one of a file is."""
    wire: events_pb2.Event = events_pb2.Event.FromString(encode_event(event))
    return wire
