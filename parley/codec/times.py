"""Protobuf's timestamps and durations to Python's and back, to the microsecond."""

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from parley.codec.record import EPOCH, InvalidRecord

_MICROSECOND = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


def to_datetime(stamp: Timestamp) -> datetime:
    """UTC; raises InvalidRecord outside the years 1 to 9999."""
    try:
        # Days, seconds, microseconds: by keyword it would take twice as long.
        return EPOCH + timedelta(0, stamp.seconds, stamp.nanos // 1_000)
    except OverflowError as error:
        raise InvalidRecord("time", "a timestamp is outside the calendar") from error


def to_timedelta(duration: Duration) -> timedelta:
    """Raises InvalidRecord for a duration that Python cannot hold."""
    try:
        return timedelta(0, duration.seconds, duration.nanos // 1_000)
    except OverflowError as error:
        raise InvalidRecord("time", "a duration is too long") from error


def set_timestamp(stamp: Timestamp, moment: datetime) -> None:
    """Write `moment` into a field of a message."""
    # From its fields: dividing a timedelta takes five times as long, and every event has times.
    elapsed = moment - EPOCH
    stamp.seconds = elapsed.days * 86_400 + elapsed.seconds
    stamp.nanos = elapsed.microseconds * 1_000


def set_duration(duration: Duration, span: timedelta) -> None:
    """Write `span`, which is not negative, into a field of a message."""
    duration.seconds = span // _SECOND
    duration.nanos = (span % _SECOND) // _MICROSECOND * 1_000
