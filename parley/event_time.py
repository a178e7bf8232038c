"""The rule that says when something happened, from clocks that may be wrong.

Whoever writes an event applies it once; the result is in the envelope and nobody computes it again.
"""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

MAX_AGE: Final = timedelta(days=7)
MAX_SKEW: Final = timedelta(minutes=5)


class EventTime(NamedTuple):
    """When it happened; `was_clamped` where the client's clock said something unbelievable."""

    moment: datetime
    was_clamped: bool = False


def live(
    received_at: datetime,
    occurred_at: datetime | None = None,
    sent_at: datetime | None = None,
    max_age: timedelta = MAX_AGE,
) -> EventTime:
    """The event time of what a client sends now; all three are aware datetimes.

    With `sent_at` only the age `sent_at - occurred_at` counts, so that a wrong clock cancels out
    and a buffered message keeps its age, from 0 to `max_age`. Without it `occurred_at` counts, at
    most 5 minutes from `received_at`.
    """
    if occurred_at is None:
        return EventTime(received_at)
    if sent_at is None:
        return _clamped(occurred_at, received_at - MAX_SKEW, received_at + MAX_SKEW)
    age = sent_at - occurred_at
    believed = min(max(age, timedelta(0)), max_age)
    return EventTime(received_at - believed, believed != age)


def imported(occurred_at: datetime) -> EventTime:
    """The event time of what an import brings: as it is, however long ago."""
    return EventTime(occurred_at)


def _clamped(moment: datetime, earliest: datetime, latest: datetime) -> EventTime:
    believed = min(max(moment, earliest), latest)
    return EventTime(believed, believed != moment)
