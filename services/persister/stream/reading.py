"""Parses the records of each topic into what the tables take; None is not for the tables."""

from parley.analyses import JobEnded, JobEndKind
from parley.codec import LogRecord, decode_analysis, decode_event, decode_seal
from parley.codec.events import EVENT_HEADERS
from parley.events import PARTITION_WIDE
from parley.seals import SegmentSealed
from services.persister.core.rows import Place, ReceivedEvent
from services.persister.core.segments import ReceivedSeal, ReceivedSegment, ReceivedSettlement
from services.persister.core.verdicts import ReceivedVerdict


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
