"""Records of the events topic as the core takes them."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Final

from parley.codec import VALIDITY_VERSION, InvalidRecord, LogRecord, decode_event
from parley.codec.events import EVENT_HEADERS
from parley.codec.said import said_in
from parley.events import Event, RuleActivated, Said
from services.sealer.core import BEGINNING, Fact, UnknownRule, as_fact

# As its constructor does, which looks for defaults first.
_record: Final = partial(tuple.__new__, LogRecord)


def read(record: LogRecord) -> tuple[Event | None, datetime]:
    """The event, None where it is invalid, and the record's time. Raises UnknownRule."""
    original = _as_first_appended(record)
    return _event(original, record), original.broker_time


def read_all(records: Sequence[LogRecord]) -> tuple[list[Fact | None], list[datetime]]:
    """What `read` says of each, but of messages only what sealing asks for; and all times."""
    originals = list(map(_as_first_appended, records))
    facts = list(map(_fact, said_in(originals), originals, records))
    return facts, [one.broker_time for one in originals]


def _as_first_appended(record: LogRecord) -> LogRecord:
    """A copy as its original was, and a traced record without its trace.

    Of headers an event depends on these times only, and a usual record is read quickly. A copy
    that says no valid time or source of itself has no value either: it is invalid.
    """
    if record.headers == EVENT_HEADERS:
        return record
    topic, partition, offset, _, key, value, _ = record
    try:
        append_time = record.append_time()
    except InvalidRecord:
        # Its broker's time is another one in each copy of the log, so it moves none.
        return LogRecord(topic, partition, offset, BEGINNING, key, None)
    try:
        record.source()
    except InvalidRecord:
        value = None
    return _record((topic, partition, offset, append_time, key, value, EVENT_HEADERS))


def _fact(said: Said | None, original: LogRecord, record: LogRecord) -> Fact | None:
    if said is None:
        event = _event(original, record)
        return None if event is None else as_fact(event)
    if said.import_id is None:
        return said
    return said._replace(import_id=_lane(said.import_id, record))


def _event(original: LogRecord, record: LogRecord) -> Event | None:
    try:
        event = decode_event(original)
    except InvalidRecord:
        return None
    if isinstance(event.body, RuleActivated):
        _check_validity_version(event.body)
    if event.import_id is None:
        return event
    return replace(event, import_id=_lane(event.import_id, record))


def _lane(import_id: str, record: LogRecord) -> str:
    """An import is sorted within each partition of its topic, not within what was merged later.

    So its records that were copied from another partition are to the core those of an import of
    their own.
    """
    source = record.source()
    if source is None or source.partition == record.partition:
        return import_id
    return f"{import_id}\n{source.partition}"


def _check_validity_version(body: RuleActivated) -> None:
    if body.validity_version != VALIDITY_VERSION:
        raise UnknownRule(
            f"the log asks for version {body.validity_version} of the validity function"
        )
