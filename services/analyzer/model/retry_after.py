"""Reads how long an endpoint asks to be left alone."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

# Who asks for more has a fault of its own; it is asked again after a day.
LONGEST: Final = timedelta(days=1)


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """The wait that the headers ask for; None where they ask for none that can be read.

    RFC 9110, 10.2.3: `Retry-After` is seconds or a moment. A moment counts from the answer's own
    `Date`, where there is one, so that a wrong clock at either end does not matter.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return _bounded(milliseconds / 1_000)
    text = headers.get("retry-after", "").strip()
    seconds = _number(text)
    if seconds is not None:
        return _bounded(seconds)
    moment = _moment(text)
    if moment is None:
        return None
    return _bounded((moment - (_moment(headers.get("date", "")) or now)).total_seconds())


def _bounded(seconds: float) -> timedelta:
    return timedelta(seconds=min(max(seconds, 0.0), LONGEST.total_seconds()))


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
