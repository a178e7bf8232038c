"""Makes a new record of a dead letter, and says whether the same would become of it again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from google.protobuf.message import DecodeError

from parley.codec import (
    Header,
    InvalidRecord,
    LogRecord,
    Outgoing,
    decode_analysis,
    decode_event,
    decode_seal,
    event_key,
)
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.codec.config import CONFIG_HEADERS, decode_config
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, EPOCH, SOURCE_POSITION
from parley.codec.seals import SEAL_HEADERS
from parley.topics import Topic
from parley.wire import events_pb2

REDRIVEN: Final = "parley-redriven-"

_DECODERS: Final[Mapping[Topic, Callable[[LogRecord], Any]]] = {
    Topic.EVENTS: decode_event,
    Topic.SEALS: lambda record: decode_seal(record.value),
    Topic.ANALYSES: lambda record: decode_analysis(record.value),
    Topic.CONFIG: decode_config,
}
_HEADERS: Final[Mapping[Topic, tuple[Header, ...]]] = {
    Topic.EVENTS: EVENT_HEADERS,
    Topic.SEALS: SEAL_HEADERS,
    Topic.ANALYSES: ANALYSIS_HEADERS,
    Topic.CONFIG: CONFIG_HEADERS,
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter with its bytes; `record.broker_time` is when it was first appended.

    `goes_to` is the topic's name now: where a redrive publishes it, and who reads it reads.
    """

    letter_id: int
    topic: Topic
    goes_to: str
    incarnation: str
    reason: str
    record: LogRecord


def repaired(letter: Letter, value: bytes | None, *, rekeys: bool) -> Letter:
    """The same letter with another value, and under the key that its event names."""
    record = letter.record if value is None else letter.record._replace(value=value)
    if rekeys and letter.topic is Topic.EVENTS:
        record = record._replace(key=_key_by_content(record))
    return replace(letter, record=record)


def _key_by_content(record: LogRecord) -> bytes | None:
    try:
        event = events_pb2.Event.FromString(record.value or b"")
    except DecodeError:
        return record.key
    if not event.conversation_id:
        return record.key
    return event_key(event.tenant_id, event.conversation_id)


def new_record(letter: Letter, who: str) -> Outgoing:
    """The record that is published: the same bytes, and headers that say where they come from.

    It keeps the time at which the first record was appended, so that what it says keeps its age.
    """
    record = letter.record
    micros = (record.broker_time - EPOCH) // timedelta(microseconds=1)
    kept = tuple(one for one in record.headers if not _is_replaced(one[0]))
    added = {
        APPEND_TIME: str(micros),
        f"{REDRIVEN}from": f"{record.topic}/{record.partition}@{record.offset}",
        f"{REDRIVEN}incarnation": letter.incarnation,
        f"{REDRIVEN}reason": letter.reason,
        f"{REDRIVEN}by": who,
    }
    return Outgoing(
        topic=letter.goes_to,
        key=record.key,
        value=record.value or b"",
        headers=(*(kept or _HEADERS[letter.topic]), *((k, v.encode()) for k, v in added.items())),
        # What has no key is a whole partition's.
        partition=record.partition if record.key is None else None,
    )


def _is_replaced(name: str) -> bool:
    return name in (APPEND_TIME, SOURCE_POSITION) or name.startswith(REDRIVEN)


def refusal(letter: Letter, now: datetime) -> InvalidRecord | None:
    """Why the present release would not take the new record; None where it would."""
    if letter.record.value is None:
        return InvalidRecord("no_value", "the record has no value")
    sent = new_record(letter, "")
    record = letter.record._replace(broker_time=now, headers=sent.headers)
    try:
        _DECODERS[letter.topic](record)
    except InvalidRecord as error:
        return error
    return None
