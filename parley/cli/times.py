"""Times and spans as people type them."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from parley.errors import UserError

_SPAN: Final = re.compile(r"(\d{1,6})([mhdw])", re.ASCII)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DURATION: Final = re.compile(r"(\d{1,8})([smhd])", re.ASCII)
_DURATION_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST: Final = timedelta(days=36_500)


def span_of(text: str) -> timedelta | None:
    """A number with m, h, d or w, up to a hundred years; None for anything else."""
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    span = timedelta(**{_UNITS[match[2]]: int(match[1])})
    return span if timedelta(0) < span <= _LONGEST else None


def moment_of(option: str, text: str, now: datetime) -> datetime:
    """An ISO 8601 time, or how long ago; raises UserError."""
    span = span_of(text)
    if span is not None:
        return now - span
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError(
            f"{option} {text} is not understood.",
            "Write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 90m, 12h or 7d.",
        ) from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def duration_of(option: str, text: str) -> timedelta:
    """A number with s, m, h or d; 0s is allowed. Raises UserError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UserError(
            f"{option} {text} is not understood.",
            "Write a number with s, m, h or d behind it, such as 90m.",
        )
    return timedelta(**{_DURATION_UNITS[match[2]]: int(match[1])})


def duration_text(span: timedelta) -> str:
    """The same back, in the largest unit in which it is a whole number, from two days on days."""
    if span % timedelta(days=1) == timedelta(0) and span > timedelta(days=1):
        return f"{span // timedelta(days=1)}d"
    if span % timedelta(hours=1) == timedelta(0) and span:
        return f"{span // timedelta(hours=1)}h"
    if span % timedelta(minutes=1) == timedelta(0) and span:
        return f"{span // timedelta(minutes=1)}m"
    return f"{span.total_seconds():g}s"
