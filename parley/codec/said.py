"""Reads messages without their content, many at once: all that sealing asks of one.

What is asked of each is asked of all together, and no object is made for what is not wanted. As in
`parley.codec.messages` nothing is decided here: what is unusual is None, and read closely.
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from itertools import compress
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from parley.codec.flat import PARTS, TEXTS, TIMES, fields_of, parse
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
from parley.events import Policy, Said
from parley.wire import events_pb2

_BELIEVED_S: Final = range(
    (EARLIEST - EPOCH) // timedelta(seconds=1), (LATEST - EPOCH) // timedelta(seconds=1)
)
_NANOSECONDS: Final = range(1_000_000_000)
_UUID_LINES: Final = re.compile(r"(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\n)*")
_UUID_LINE_CHARS: Final = 37

# As its constructor does, which looks for defaults first.
_said: Final = partial(tuple.__new__, Said)


class _Unsure(Exception):
    """One of the records needs another look."""


def said_in(records: Sequence[LogRecord]) -> list[Said | None]:
    """The message of each record; None where another look is needed to say what it is.

    Of the headers nothing is looked at: the records must say by themselves when they were appended.
    """
    try:
        wires = [parse(one.value or b"") for one in records]
        are_messages = [wire.message_recorded != b"" for wire in wires]
        picked = list(compress(records, are_messages)), list(compress(wires, are_messages))
        found = iter(_read(*picked))
    except (_Unsure, DecodeError, InvalidRecord):
        # A few looks more find the one that is unusual, and spare all others.
        half = len(records) // 2
        return said_in(records[:half]) + said_in(records[half:]) if half else [None]
    return [next(found) if is_message else None for is_message in are_messages]


def _read(records: Sequence[LogRecord], wires: Sequence[Any]) -> list[Said]:
    """All of them are messages; raises unless all are usual and valid."""
    if not records:
        return []
    rows = map(fields_of, wires)
    columns: dict[str, Any] = dict(
        zip((*TEXTS, *TIMES, *PARTS), zip(*rows, strict=True), strict=True)
    )
    bodies, policies = columns["message_recorded"], columns["policy"]
    _check_bytes([one.value or b"" for one in records], wires, bodies, policies)
    _check_ids(records, columns["event_id"], columns["tenant_id"], columns["conversation_id"])
    moments = _moments([columns[name] for name in TIMES])
    for record, received in zip(records, columns["received_at"], strict=True):
        apart = moments[received] - record.broker_time
        if not -RECEIVED_AT_TOLERANCE <= apart <= RECEIVED_AT_TOLERANCE:
            raise _Unsure
    for body in bodies:
        _check_body(body)
    happened = [moments[one] for one in columns["event_time"]]
    columns |= {
        "event_time": happened,
        "policy": map(_policy_of, policies),
        "import_id": [one or None for one in columns["import_id"]],
    }
    return list(map(_said, zip(*(columns[name] for name in Said._fields), strict=True)))


def _check_bytes(
    values: Sequence[bytes],
    wires: Sequence[Any],
    bodies: Sequence[bytes],
    policies: Sequence[bytes],
) -> None:
    # A NUL may also be a part of some number; then the long way knows. A policy has its own check.
    if b"".join(values).count(0) > b"".join(policies).count(0):
        raise _Unsure
    # Protobuf writes what it has read in as few bytes as can be: together they are as long only
    # where each is. What is there twice is longer: of it only the last is in the fields, where
    # Protobuf would put together the messages that they are.
    if sum(map(len, values)) != sum([wire.ByteSize() for wire in wires]):
        raise _Unsure
    # Where all but the body has so few bytes, no id has more.
    sizes = zip(map(len, values), map(len, bodies), strict=True)
    if any(size - of_body > MAX_ID_BYTES for size, of_body in sizes):
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


def _moments(columns: Sequence[Sequence[bytes]]) -> dict[bytes, datetime]:
    """Every time that is told, by its bytes: most are told more than once."""
    *_, received, happened = columns
    if b"" in received or b"" in happened:
        raise _Unsure
    return {one: _moment(one) for one in set().union(*columns) if one}


def _moment(value: bytes) -> datetime:
    stamp = Timestamp.FromString(value)
    seconds, nanos = stamp.seconds, stamp.nanos
    if seconds not in _BELIEVED_S or nanos not in _NANOSECONDS:
        raise _Unsure
    # Days, seconds, microseconds: by keyword it would take twice as long.
    return EPOCH + timedelta(0, seconds, nanos // 1_000)


# There are few policies and many events.
@lru_cache(maxsize=1_024)
def _policy_of(value: bytes) -> Policy:
    policy = valid_policy(value)
    if policy is None:
        raise _Unsure
    return policy


def _check_body(body: bytes) -> None:
    wire = events_pb2.MessageRecorded.FromString(body)
    content = wire.content
    if wire.role not in ROLES or not content.HasField("plain"):
        raise _Unsure
    metadata_json = content.plain.metadata_json
    if metadata_json:
        check_json_object(metadata_json)
