"""Counts what became of a batch's records, in all and by the minute in which they were appended."""

from collections.abc import Collection, Iterable
from datetime import datetime
from typing import NamedTuple


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
