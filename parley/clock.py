"""The one place that asks the machine for the time."""

import time
from datetime import UTC, datetime


def now() -> datetime:
    """The wall clock, in UTC."""
    return datetime.now(UTC)


def now_ms() -> int:
    """The wall clock as milliseconds since 1970, for who has no use for a datetime."""
    return time.time_ns() // 1_000_000


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean something."""
    return time.monotonic()
