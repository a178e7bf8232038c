"""Records that a table has refused before: in a replay they are dead letters again, whatever the
tables would take by now.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from parley.codec import InvalidRecord, LogRecord, decode_event
from parley.events import RecordRejected
from parley.position import Position

_ANY_EVENT: Final = ""


class Rejections:
    """What is known to be refused in one partition: by offset, with the event's id and why."""

    def __init__(self, known: Mapping[int, str], elsewhere: Mapping[Position, str]) -> None:
        """`known` are dead letters of a former reading, by offset with their details.

        `elsewhere` are those of former incarnations, by where their records lay first: a copy
        of such a record has another offset.
        """
        self._known = {offset: (_ANY_EVENT, detail) for offset, detail in known.items()}
        self._elsewhere = elsewhere

    def of(self, records: Sequence[LogRecord]) -> dict[int, tuple[str, str]]:
        """Those of a batch, with the ones that its own records name."""
        named = dict(self._known)
        for record in records:
            # Only what concerns a whole partition has no key.
            if record.key is None and (body := _rejection(record)) is not None:
                named[body.rejected_offset] = (body.rejected_event_id, body.reason)
        for record in records if self._elsewhere else ():
            place = _first_place(record)
            if place is not None and place in self._elsewhere:
                named[record.offset] = (_ANY_EVENT, self._elsewhere[place])
        return named


def concerns(named: tuple[str, str], event_id: str) -> bool:
    """Whether a refusal is about this event: an offset of another incarnation may be another's."""
    return named[0] in (_ANY_EVENT, event_id)


def _first_place(record: LogRecord) -> Position | None:
    try:
        return record.source()
    except InvalidRecord:
        return None


def _rejection(record: LogRecord) -> RecordRejected | None:
    try:
        body = decode_event(record).body
    except InvalidRecord:
        return None
    return body if isinstance(body, RecordRejected) else None
