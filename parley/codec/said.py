"""Reads messages without their content, many at once: all that sealing asks of one."""

from collections.abc import Sequence
from typing import Final

from parley.codec.events import EVENT_HEADERS
from parley.codec.record import LogRecord
from parley.codec.usual import message_reader
from parley.events import Said

# The fields of Said in their order.
_said_in: Final = message_reader(
    (
        Said,
        "event_id",
        "event_time",
        "tenant_id",
        "conversation_id",
        "session_id",
        "user_id",
        "sender",
        "channel",
        "policy",
        "import_id or None",
    ),
    EVENT_HEADERS,
)


def said_in(records: Sequence[LogRecord]) -> list[Said | None]:
    """The message of each record; None where another look is needed to say what it is."""
    return _said_in(records, None)
