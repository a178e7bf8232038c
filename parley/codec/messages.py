"""Reads messages, of which there are very many, where they are certain to be valid.

What is unusual about a record goes the long way, which says what is wrong with it, if anything:
so this never decides that a record is invalid, and what it reads the long way reads the same.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from parley.codec.columns import IDS
from parley.codec.policies import valid_policy
from parley.codec.record import EPOCH, LogRecord, event_key, headers_for
from parley.codec.validity import (
    EARLIEST,
    LATEST,
    MAX_ID_BYTES,
    RECEIVED_AT_TOLERANCE,
    check_json_object,
    is_uuid,
)
from parley.events import Content, Event, MessageRecorded, Policy, Role
from parley.values import maker
from parley.wire import content_pb2, events_pb2, policy_pb2

_USUAL_HEADERS: Final = headers_for("parley.v1.Event")
ROLES: Final[dict[int, Role]] = {content_pb2.Role.Value(f"ROLE_{role.name}"): role for role in Role}
_SECOND: Final = timedelta(seconds=1)
_EARLIEST_S: Final = (EARLIEST - EPOCH) // _SECOND
_LATEST_S: Final = (LATEST - EPOCH) // _SECOND
_NANOSECONDS: Final = 1_000_000_000
_MOST_POLICIES: Final = 1_024

_IDS: Final = attrgetter(*IDS)

# Its ids go in as they were read, in one.
_event: Final[Callable[..., Event]] = maker(Event)


class _Unsure(Exception):
    """The record needs another look."""


def read_message(record: LogRecord, wire: events_pb2.Event) -> Event | None:
    """The message of a record; None where another look is needed to say what it is.

    Raises InvalidRecord for a message with which nothing is wrong but its metadata.
    """
    # A NUL may also be a part of some number; then the long way knows.
    if record.headers != _USUAL_HEADERS or 0 in (record.value or b""):
        return None
    try:
        return _read(record, wire)
    except _Unsure:
        return None


def _read(record: LogRecord, wire: events_pb2.Event) -> Event:
    message = _message_of(wire.message_recorded)
    ids = _IDS(wire)
    import_id = wire.import_id if wire.HasField("import_id") else None
    _check_ids(record.key, ids, import_id or "")
    received_at, event_time = _received_and_happened(wire, record.broker_time)
    occurred_at, sent_at = _of_the_client(wire)
    policy = _policies.of(wire.policy)
    check_json_object(message.content.metadata_json)
    return _event(
        ids[0], message, event_time, received_at, *ids[1:], occurred_at, sent_at, policy, import_id
    )


def _message_of(wire: events_pb2.MessageRecorded) -> MessageRecorded:
    """Of another body nothing is set here, the role least of all."""
    role = ROLES.get(wire.role)
    plain = wire.content.plain
    text = plain.text
    # Without a text it may be another kind of content.
    if role is None or not text:
        raise _Unsure
    audio_url = plain.audio_url if plain.HasField("audio_url") else None
    content = Content(text, audio_url, plain.metadata_json)
    return MessageRecorded(role, content, wire.utterance_id, wire.language)


def _check_ids(key: bytes | None, ids: Sequence[str], import_id: str) -> None:
    event_id, tenant_id, conversation_id = ids[:3]
    together = "".join(ids) + import_id
    if len(together) > MAX_ID_BYTES or not together.isascii():
        raise _Unsure
    if not tenant_id or not conversation_id or not is_uuid(event_id):
        raise _Unsure
    # Another key means another partition: the conversation's one order would be lost.
    if key != event_key(tenant_id, conversation_id):
        raise _Unsure


def _received_and_happened(
    wire: events_pb2.Event, broker_time: datetime
) -> tuple[datetime, datetime]:
    received, happened = wire.received_at, wire.event_time
    received_at = _moment(received)
    if not -RECEIVED_AT_TOLERANCE <= received_at - broker_time <= RECEIVED_AT_TOLERANCE:
        raise _Unsure
    # Comparing is a tenth of reading, and without a clock of the client's both are the gateway's.
    return received_at, received_at if happened == received else _moment(happened)


def _of_the_client(wire: events_pb2.Event) -> tuple[datetime | None, datetime | None]:
    occurred, sent = wire.occurred_at, wire.sent_at
    occurred_at = _moment(occurred) if wire.HasField("occurred_at") else None
    if sent == occurred and occurred_at is not None:
        return occurred_at, occurred_at
    return occurred_at, _moment(sent) if wire.HasField("sent_at") else None


def _moment(stamp: Timestamp) -> datetime:
    seconds, nanos = stamp.seconds, stamp.nanos
    # 0 may also mean that there is none.
    if seconds == 0 or not _EARLIEST_S <= seconds < _LATEST_S or not 0 <= nanos < _NANOSECONDS:
        raise _Unsure
    return _second(seconds) + timedelta(0, 0, nanos // 1_000)


# What is read together happened at about the same time, and to add less is to add faster.
@lru_cache(maxsize=1_024)
def _second(seconds: int) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


class _Policies:
    """The policies that were met last: there are few, and comparing is half of writing one out."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[policy_pb2.Policy, Policy]] = {}

    def of(self, wire: policy_pb2.Policy) -> Policy:
        """The policy, which is valid."""
        key = wire.policy_id, wire.version
        known = self._known.get(key)
        if known is not None and known[0] == wire:
            return known[1]
        policy = valid_policy(wire.SerializeToString())
        if policy is None:
            raise _Unsure
        if len(self._known) >= _MOST_POLICIES:
            self._known.clear()
        own = policy_pb2.Policy()
        own.CopyFrom(wire)
        self._known[key] = own, policy
        return policy


_policies: Final = _Policies()
