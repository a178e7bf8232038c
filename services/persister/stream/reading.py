"""Parses the records of each topic into what the tables take; None is not for the tables."""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import compress, repeat
from typing import Final, TypeAlias, TypeVar

from parley.analyses import JobEnded, JobEndKind
from parley.codec import InvalidRecord, LogRecord, decode_analysis, decode_event, decode_seal
from parley.codec.events import EVENT_HEADERS
from parley.codec.usual import Fields, usual_messages
from parley.events import PARTITION_WIDE
from parley.seals import SegmentSealed
from services.persister.core.rows import MessageRow, Place, Received, ReceivedEvent, ReceivedMessage
from services.persister.core.segments import ReceivedSeal, ReceivedSegment, ReceivedSettlement
from services.persister.core.verdicts import ReceivedVerdict

Item = TypeVar("Item")

Read: TypeAlias = Item | InvalidRecord | None
"""What a record is to the tables, if anything."""

ReadAll: TypeAlias = Callable[[Sequence[LogRecord], str], list[Read[Item]]]

# As their constructors do, which look for defaults first.
_row: Final = partial(tuple.__new__, MessageRow)
_message: Final = partial(tuple.__new__, ReceivedMessage)


def read_events(records: Sequence[LogRecord], incarnation: str) -> list[Read[Received]]:
    """What `read_event` says of each, and of messages of which nothing is unusual their rows."""
    are_plain = [one.headers == EVENT_HEADERS for one in records]
    plain = records if all(are_plain) else list(compress(records, are_plain))
    messages = iter(usual_messages(plain, partial(_messages, incarnation)))
    return [
        (next(messages) if is_plain else None) or _read_or_refuse(read_event, record, incarnation)
        for record, is_plain in zip(records, are_plain, strict=True)
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


def _messages(
    incarnation: str, records: Sequence[LogRecord], columns: Fields
) -> Iterable[ReceivedMessage]:
    _, partitions, offsets, append_times, _, values, _ = zip(*records, strict=True)
    tenant_ids, event_ids = columns["tenant_id"], columns["event_id"]
    metadata = columns["metadata_json"]
    rows = zip(
        *(tenant_ids, event_ids, columns["conversation_id"]),
        *map(_or_none, (columns["session_id"], columns["user_id"])),
        [not one for one in columns["user_id"]],
        *(columns["sender"], columns["role"], columns["text"], columns["audio_url"]),
        *(_or_none(metadata), metadata),
        *map(_or_none, (columns["language"], columns["utterance_id"])),
        *(columns["occurred_at"], columns["event_time"], columns["received_at"]),
        *(columns["import_id"], repeat(incarnation, len(records)), partitions, offsets),
        strict=True,
    )
    keys = zip(tenant_ids, event_ids, strict=True)
    parts = (keys, map(_row, rows), columns["channel"], append_times, values)
    return map(_message, zip(*parts, strict=True))


def _or_none(texts: Sequence[str]) -> list[str | None]:
    return [one or None for one in texts]


def read_event(record: LogRecord, incarnation: str) -> ReceivedEvent | None:
    """An event of a conversation; raises InvalidRecord."""
    event = decode_event(record)
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
