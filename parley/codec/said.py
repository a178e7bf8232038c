"""Reads messages without their content, many at once: all that sealing asks of one."""

from collections.abc import Sequence
from typing import Final

from parley.codec.events import EVENT_HEADERS
from parley.codec.record import LogRecord
from parley.codec.usual import message_reader, shape_of
from parley.events import Said

_said_in: Final = message_reader(
    shape_of(Said, Said._fields, import_id="import_id or None"), EVENT_HEADERS
)


def said_in(records: Sequence[LogRecord]) -> list[Said | None]:
    """The message of each record; None where another look is needed to say what it is."""
    return _said_in(records, None)
