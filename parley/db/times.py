"""Carries times to PostgreSQL and back: the driver asks each for its time zone four times."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import asyncpg

try:
    from parley.codec.speedups import microseconds_since
except ImportError:
    microseconds_since = None  # type: ignore[assignment]

# PostgreSQL counts a timestamptz in microseconds from here.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_INFINITY: Final = 2**63 - 1
_MINUS_INFINITY: Final = -(2**63)


async def carry_times(connection: asyncpg.Connection) -> None:
    """Let the connection read and write timestamptz at half of what it costs the driver.

    All times have a zone. What is written must have one, where the driver would suppose the
    machine's own; and the first and the last moment that Python knows are those moments, where it
    would write infinities. These are read as the moments, where it would leave out the zone, so
    that they compare with no other time.
    """
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=to_wire, decoder=_from_wire, format="tuple"
    )


def to_wire_plainly(moment: datetime) -> tuple[int]:
    """What `to_wire` says, without a compiler at a third of the speed."""
    # From its fields: dividing a timedelta takes five times as long.
    elapsed = moment - _EPOCH
    return ((elapsed.days * 86_400 + elapsed.seconds) * 1_000_000 + elapsed.microseconds,)


to_wire: Final = (
    to_wire_plainly if microseconds_since is None else partial(microseconds_since, _EPOCH)
)
"""A time as the driver writes it."""


def _from_wire(wire: tuple[int]) -> datetime:
    """Raises OverflowError outside the years 1 to 9999, but for the two infinities."""
    (elapsed_us,) = wire
    if elapsed_us == _INFINITY:
        return _LAST
    if elapsed_us == _MINUS_INFINITY:
        return _FIRST
    return _EPOCH + timedelta(0, 0, elapsed_us)
