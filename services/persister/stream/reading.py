"""Parses the records of each topic into what the tables take; None is not for the tables."""

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, TypeVar

from parley.analyses import JobEnded, JobEndKind
from parley.codec import InvalidRecord, LogRecord, decode_analysis, decode_seal
from parley.codec.events import EVENT_HEADERS, read_closely
from parley.codec.usual import message_reader, shape_of
from parley.events import PARTITION_WIDE
from parley.seals import SegmentSealed
from services.persister.core.rows import MessageRow, Place, Received, ReceivedEvent, ReceivedMessage
from services.persister.core.segments import ReceivedSeal, ReceivedSegment, ReceivedSettlement
from services.persister.core.verdicts import ReceivedVerdict

Item = TypeVar("Item")

Read: TypeAlias = Item | InvalidRecord | None
"""What a record is to the tables, if anything."""

ReadAll: TypeAlias = Callable[[Sequence[LogRecord], str], list[Read[Item]]]

_ROW: Final = shape_of(
    MessageRow,
    MessageRow._fields,
    id="event_id",
    session_id="session_id or None",
    user_id="user_id or None",
    is_user_inherited="not user_id",
    role="role.value",
    content="text",
    audio_url="audio_url or None",
    metadata="metadata_json or None",
    metadata_text="metadata_json",
    language="language or None",
    utterance_id="utterance_id or None",
    import_id="import_id or None",
    # Given for all records of a batch.
    incarnation="given",
    partition="record.partition",
    log_offset="record.offset",
)
_messages_in: Final = message_reader(
    shape_of(
        ReceivedMessage,
        ReceivedMessage._fields,
        key=(tuple, "tenant_id", "event_id"),
        row=_ROW,
        append_time="record.broker_time",
        value="record.value",
    ),
    EVENT_HEADERS,
)


def read_events(records: Sequence[LogRecord], incarnation: str) -> list[Read[Received]]:
    """What `read_event` says of each, and of messages of which nothing is unusual their rows."""
    return [
        message or _read_or_refuse(read_event, record, incarnation)
        for record, message in zip(records, _messages_in(records, incarnation), strict=True)
    ]


def each(read: Callable[[LogRecord, str], Item | None]) -> ReadAll[Item]:
    """Reads one record after the other, and tells of those that are invalid."""

    def read_all(records: Sequence[LogRecord], incarnation: str) -> list[Read[Item]]:
        return [_read_or_refuse(read, one, incarnation) for one in records]

    return read_all


def _read_or_refuse(
    read: Callable[[LogRecord, str], Item | None], record: LogRecord, incarnation: str
) -> Read[Item]:
    try:
        return read(record, incarnation)
    except InvalidRecord as error:
        return error


def read_event(record: LogRecord, incarnation: str) -> ReceivedEvent | None:
    """An event of a conversation; raises InvalidRecord."""
    event = read_closely(record)
    if isinstance(event.body, PARTITION_WIDE):
        return None
    return ReceivedEvent(event, _place(record, incarnation), record.value or b"")


def read_seal(record: LogRecord, incarnation: str) -> ReceivedSeal:
    """A seal; raises InvalidRecord."""
    seal = decode_seal(record.value)
    place = _place(record, incarnation)
    if isinstance(seal, SegmentSealed):
        return ReceivedSegment(seal, place)
    return ReceivedSettlement(seal, place)


def read_verdict(record: LogRecord, incarnation: str) -> ReceivedVerdict | None:
    """A verdict; all else that became of jobs is the analyzer's own. Raises InvalidRecord."""
    ended = decode_analysis(record.value)
    if not isinstance(ended, JobEnded) or ended.end is not JobEndKind.VERDICT:
        return None
    return ReceivedVerdict(ended, _place(record, incarnation))


def _place(record: LogRecord, incarnation: str) -> Place:
    if record.headers == EVENT_HEADERS:
        return Place(incarnation, record.partition, record.offset, record.broker_time)
    source, append_time = record.source(), record.append_time()
    if source is None:
        return Place(incarnation, record.partition, record.offset, append_time)
    return Place(
        source.incarnation, source.partition, source.offset, append_time, copy_offset=record.offset
    )
