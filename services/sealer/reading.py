"""Records of the events topic as the core takes them."""

from dataclasses import replace
from datetime import datetime

from parley.codec import VALIDITY_VERSION, InvalidRecord, LogRecord, decode_event
from parley.codec.events import EVENT_HEADERS
from parley.events import Event, RuleActivated
from parley.position import Position
from services.sealer.core import BEGINNING, UnknownRule


def read(record: LogRecord) -> tuple[Event | None, datetime]:
    """The event, None where it is invalid, and the record's time. Raises UnknownRule."""
    try:
        append_time = record.append_time()
    except InvalidRecord:
        # Its broker's time is another one in each copy of the log, so it moves none.
        return None, BEGINNING
    try:
        source = record.source()
        event = decode_event(_as_first_appended(record, append_time))
    except InvalidRecord:
        return None, append_time
    if isinstance(event.body, RuleActivated):
        _check_validity_version(event.body)
    return _in_its_lane(event, source, record.partition), append_time


def _as_first_appended(record: LogRecord, append_time: datetime) -> LogRecord:
    """A copy without what it says of its source, and a traced record without its trace.

    Of headers an event depends on these times only, and a usual record is read quickly.
    """
    if record.headers == EVENT_HEADERS:
        return record
    topic, partition, offset, _, key, value, _ = record
    return LogRecord(topic, partition, offset, append_time, key, value, EVENT_HEADERS)


def _in_its_lane(event: Event, source: Position | None, partition: int) -> Event:
    """An import is sorted within each partition of its topic, not within what was merged later.

    So its records that were copied from another partition are to the core those of an import of
    their own.
    """
    if event.import_id is None or source is None or source.partition == partition:
        return event
    return replace(event, import_id=f"{event.import_id}\n{source.partition}")


def _check_validity_version(body: RuleActivated) -> None:
    if body.validity_version != VALIDITY_VERSION:
        raise UnknownRule(
            f"the log asks for version {body.validity_version} of the validity function"
        )
