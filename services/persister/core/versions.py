"""Versions of facts: of two events that state the same fact, the greater version wins.

A version is a text that is compared byte by byte, here and in the tables (collation C). Which of
two wins depends on the events alone, so the order and the number of their arrivals do not matter.
The empty version says nothing and loses to every other.
"""

from datetime import UTC, datetime
from typing import Final

from parley.events import EndReason

NOTHING: Final = ""

_YEAR_1: Final = datetime(1, 1, 1, tzinfo=UTC)
# 18 digits hold the microseconds of all years up to 9999.
_LAST: Final = 10**18 - 1

# An end that somebody stated outranks one that was only concluded from silence.
_END_RANKS: Final = {
    EndReason.IDLE: 1,
    EndReason.DISCONNECTED: 2,
    EndReason.IMPORTED: 3,
    EndReason.EXPLICIT: 4,
}


def latest(moment: datetime, event_id: str) -> str:
    """The version of a fact that later events replace."""
    return f"{_microseconds(moment):018d}{event_id}"


def earliest(moment: datetime, event_id: str) -> str:
    """The version of a fact that is set once: by the earliest event that states it."""
    return f"{_LAST - _microseconds(moment):018d}{event_id}"


def _microseconds(moment: datetime) -> int:
    # From its fields: dividing a timedelta takes twice as long, and every event has versions.
    elapsed = moment - _YEAR_1
    return (elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds


def open_status(generation: int) -> str:
    """A session that is open in this generation."""
    return f"{generation:019d}0"


def ended_status(generation: int, reason: EndReason, ended_at: datetime) -> str:
    """A session that ended in this generation; it loses to whatever a later generation is.

    Of several ends for one reason the earliest counts; of conclusions from silence the latest,
    which knew most.
    """
    in_order = latest if reason is EndReason.IDLE else earliest
    return f"{generation:019d}{_END_RANKS[reason]}{in_order(ended_at, '')}"
