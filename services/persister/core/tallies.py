"""Counts what became of a batch's records, in all and by the minute in which they were appended."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

MINUTE: Final = timedelta(minutes=1)


class Tally(NamedTuple):
    """What became of records, in numbers."""

    stored: int
    duplicate: int
    dead_lettered: int
    not_for_table: int


class Outcomes(NamedTuple):
    """The offsets of a batch's records by what became of them; all others are not for the table."""

    stored: Collection[int]
    duplicate: Collection[int]
    dead_lettered: Collection[int]


def minute_of(moment: datetime) -> datetime:
    """When the moment's minute began."""
    return moment.replace(second=0, microsecond=0)


def by_minute(records: Iterable[tuple[int, datetime]], outcomes: Outcomes) -> dict[datetime, Tally]:
    """A tally for every minute; `records` are offsets with the broker's times."""
    kinds = {offset: number for number, offsets in enumerate(outcomes) for offset in offsets}
    counts: dict[datetime, list[int]] = {}
    for offset, broker_time in records:
        counted = counts.setdefault(minute_of(broker_time), [0] * len(Tally._fields))
        counted[kinds.get(offset, -1)] += 1
    return {minute: Tally(*counted) for minute, counted in counts.items()}


def stored_by_minute(broker_times: Iterable[datetime]) -> dict[datetime, Tally]:
    """The same of records that were all stored, as nearly always: at a tenth of the cost."""
    counts: dict[datetime, list[int]] = {}
    count = [0]
    # No moment is in it.
    began_at = ends_at = datetime.max.replace(tzinfo=UTC)
    for moment in broker_times:
        if not began_at <= moment < ends_at:
            began_at = minute_of(moment)
            ends_at = began_at + MINUTE
            count = counts.setdefault(began_at, [0])
        count[0] += 1
    return {minute: Tally(stored, 0, 0, 0) for minute, [stored] in counts.items()}
