"""Reads messages field by field, many at once, where they are certain to be valid.

What is asked of each is asked of all together, and no object is made for what is not wanted. As in
`parley.codec.messages` nothing is decided here: what is unusual is None, and read closely.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import compress
from operator import attrgetter, sub
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from parley.codec.columns import (
    Columns,
    has_each_once,
    one_after_another,
    parse_moments,
    says_each_once,
)
from parley.codec.messages import ROLES
from parley.codec.policies import valid_policy
from parley.codec.record import EPOCH, InvalidRecord, LogRecord, event_key
from parley.codec.validity import (
    EARLIEST,
    LATEST,
    MAX_ID_BYTES,
    RECEIVED_AT_TOLERANCE,
    check_json_object,
)
from parley.events import Policy
from parley.wire import content_pb2, events_pb2

_TIMES: Final = ("occurred_at", "sent_at", "received_at", "event_time")
_SECOND: Final = timedelta(seconds=1)
_EARLIEST_S: Final = (EARLIEST - EPOCH) // _SECOND
_LATEST_S: Final = (LATEST - EPOCH) // _SECOND
_NANOSECONDS: Final = 1_000_000_000
_ROLE_NAMES: Final = {number: role.value for number, role in ROLES.items()}
_UUID_LINES: Final = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n)*")
_UUID_LINE_CHARS: Final = 37

_stamp_of: Final[Callable[[Any], tuple[int, int]]] = attrgetter("seconds", "nanos")

Made = TypeVar("Made")

Fields = Mapping[str, Sequence[Any]]
"""By the names of an event's fields and of its message's, one value a message."""

Make = Callable[[Sequence[LogRecord], Fields], Iterable[Made]]
"""Makes something of each message, given the records that hold them."""


class _Unsure(Exception):
    """One of the records needs another look."""


def usual_messages(records: Sequence[LogRecord], make: Make[Made]) -> list[Made | None]:
    """What is made of the message of each record; None where another look is needed.

    Of the headers nothing is looked at: the records must say by themselves when they were appended.
    """
    if not records:
        return []
    try:
        are_messages, picked, columns = _read(records)
        made = iter(make(picked, columns) if picked else ())
    except (_Unsure, DecodeError, InvalidRecord):
        # A few looks more find the one that is unusual, and spare all others.
        half = len(records) // 2
        if not half:
            return [None]
        return usual_messages(records[:half], make) + usual_messages(records[half:], make)
    return [next(made) if is_message else None for is_message in are_messages]


def _read(records: Sequence[LogRecord]) -> tuple[Sequence[bool], Sequence[LogRecord], Fields]:
    """Which are messages, these, and what they say; raises unless all are usual and valid."""
    values = [one.value or b"" for one in records]
    # Of a text that is there twice the last would count, of a part both.
    if not has_each_once(values):
        raise _Unsure
    columns = Columns(events_pb2.Event, values)
    are_messages = [one != b"" for one in columns["message_recorded"]]
    if all(are_messages):
        return are_messages, records, _fields(records, values, columns)
    picked = list(compress(records, are_messages))
    if not picked:
        return are_messages, picked, {}
    values = list(compress(values, are_messages))
    return are_messages, picked, _fields(picked, values, Columns(events_pb2.Event, values))


def _fields(records: Sequence[LogRecord], values: Sequence[bytes], columns: Columns) -> Fields:
    """What the messages say of which the records are made."""
    bodies, policies = columns["message_recorded"], columns["policy"]
    _check_no_nul(b"".join(values), policies)
    # Where all but the body has so few bytes, no id has more.
    if max(map(sub, map(len, values), map(len, bodies))) > MAX_ID_BYTES:
        raise _Unsure
    _check_ids(records, columns["event_id"], columns["tenant_id"], columns["conversation_id"])
    columns |= _moments({name: columns[name] for name in _TIMES})
    _check_received(columns["received_at"], [one.broker_time for one in records])
    known = {one: _policy_of(one) for one in set(policies)}
    columns["policy"] = [known[one] for one in policies]
    # One that is there and empty has a length of NUL, and was not taken for usual.
    columns["import_id"] = [one or None for one in columns["import_id"]]
    columns |= _said_in(bodies)
    return columns


def _check_no_nul(together: bytes, policies: Sequence[bytes]) -> None:
    # A NUL may also be a part of some number; then the long way knows. A policy has its own check.
    if 0 in together and together.count(0) > b"".join(policies).count(0):
        raise _Unsure


def _check_ids(
    records: Sequence[LogRecord],
    event_ids: Sequence[str],
    tenant_ids: Sequence[str],
    conversation_ids: Sequence[str],
) -> None:
    lines = "\n".join((*event_ids, ""))
    # A line break within one of them would make two lines of it.
    if len(lines) != _UUID_LINE_CHARS * len(records) or not _UUID_LINES.fullmatch(lines):
        raise _Unsure
    # Another key means another partition: the conversation's one order would be lost.
    keys = list(map(event_key, tenant_ids, conversation_ids))
    if "" in tenant_ids or "" in conversation_ids or keys != [one.key for one in records]:
        raise _Unsure


def _moments(columns: Mapping[str, Sequence[bytes]]) -> dict[str, list[datetime | None]]:
    """The times' columns as moments. The client's may be None."""
    if b"" in columns["received_at"] or b"" in columns["event_time"]:
        raise _Unsure
    # Most are told more than once.
    told = list(set().union(*columns.values()) - {b""})
    seconds, nanos = zip(*map(_stamp_of, parse_moments(one_after_another(told)).all), strict=True)
    if not _EARLIEST_S <= min(seconds) <= max(seconds) < _LATEST_S:
        raise _Unsure
    if not 0 <= min(nanos) <= max(nanos) < _NANOSECONDS:
        raise _Unsure
    # Days, seconds, microseconds: by keyword it would take twice as long.
    made = [EPOCH + timedelta(0, s, ns // 1_000) for s, ns in zip(seconds, nanos, strict=True)]
    moments: dict[bytes, datetime | None] = dict(zip(told, made, strict=True))
    moments[b""] = None
    return {name: [moments[one] for one in column] for name, column in columns.items()}


def _check_received(received: Sequence[datetime], broker_times: Sequence[datetime]) -> None:
    apart = list(map(sub, received, broker_times))
    if min(apart) < -RECEIVED_AT_TOLERANCE or max(apart) > RECEIVED_AT_TOLERANCE:
        raise _Unsure


# There are few policies and many events.
@lru_cache(maxsize=1_024)
def _policy_of(value: bytes) -> Policy:
    policy = valid_policy(value)
    if policy is None:
        raise _Unsure
    return policy


def _said_in(bodies: Sequence[bytes]) -> dict[str, Sequence[Any]]:
    if not says_each_once(bodies):
        raise _Unsure
    said = Columns(events_pb2.MessageRecorded, bodies)
    plains = Columns(content_pb2.Content, said["content"])["plain"]
    plain = Columns(content_pb2.PlainContent, plains)
    roles, texts, metadata = said["role"], plain["text"], plain["metadata_json"]
    # Without a text it may be another kind of content, or none.
    if "" in texts or not _ROLE_NAMES.keys() >= set(roles):
        raise _Unsure
    for metadata_json in filter(None, metadata):
        check_json_object(metadata_json)
    return {
        "role": [_ROLE_NAMES[one] for one in roles],
        "utterance_id": said["utterance_id"],
        "language": said["language"],
        "text": texts,
        "audio_url": [one or None for one in plain["audio_url"]],
        "metadata_json": metadata,
    }
