"""Records of the events topic as the core takes them."""

from dataclasses import replace
from datetime import datetime

from parley.codec import VALIDITY_VERSION, InvalidRecord, LogRecord, decode_event
from parley.events import Event, RuleActivated
from services.sealer.core import BEGINNING, UnknownRule


def read(record: LogRecord) -> tuple[Event | None, datetime]:
    """The event, None where it is invalid, and the record's time. Raises UnknownRule."""
    try:
        append_time = record.append_time()
    except InvalidRecord:
        # Its broker's time is another one in each copy of the log, so it moves none.
        return None, BEGINNING
    try:
        event = _in_its_lane(decode_event(record), record)
    except InvalidRecord:
        return None, append_time
    if isinstance(event.body, RuleActivated):
        _check_validity_version(event.body)
    return event, append_time


def _in_its_lane(event: Event, record: LogRecord) -> Event:
    """An import is sorted within each partition of its topic, not within what was merged later.

    So its records that were copied from another partition are to the core those of an import of
    their own.
    """
    source = record.source()
    if event.import_id is None or source is None or source.partition == record.partition:
        return event
    return replace(event, import_id=f"{event.import_id}\n{source.partition}")


def _check_validity_version(body: RuleActivated) -> None:
    if body.validity_version != VALIDITY_VERSION:
        raise UnknownRule(
            f"the log asks for version {body.validity_version} of the validity function"
        )
