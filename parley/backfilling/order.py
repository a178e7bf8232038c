"""Puts seals of several partitions into one order of time, so that a stop anywhere is a place."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from parley.backfilling.core import Found


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of a partition: offsets from `begin` to before `end`.

    Newest first, it is read from its end to its beginning.
    """

    begin: int
    end: int

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left."""
        return self.begin >= self.end


class Merge:
    """Takes the records of each partition in its own order, and gives the first of all.

    Nothing is given while a partition with records to come has none here: its next one may be the
    first. In one partition the order is that of the offsets, whatever the times say.
    """

    def __init__(self, partitions: Iterable[int], *, newest_first: bool) -> None:
        self._waiting: dict[int, deque[Found]] = {one: deque() for one in partitions}
        self._newest_first = newest_first

    def add(self, partition: int, found: Iterable[Found]) -> None:
        """The next records of a partition."""
        self._waiting[partition].extend(found)

    def finish(self, partition: int) -> None:
        """No more records come from there: what waits is still given."""
        if not self._waiting[partition]:
            del self._waiting[partition]

    @property
    def hungry(self) -> list[int]:
        """Partitions of which the next record has to come before anything is given."""
        return [partition for partition, waiting in self._waiting.items() if not waiting]

    @property
    def is_empty(self) -> bool:
        """Whether everything was given."""
        return not self._waiting

    def take(self) -> Found:
        """The next of all; nobody may be hungry."""
        pick = max if self._newest_first else min
        first = pick(self._waiting, key=lambda one: (self._waiting[one][0].sealed_at, -one))
        return self._waiting[first].popleft()


def moved_to(found: Found, *, newest_first: bool) -> int:
    """A partition's next offset behind the record; newest first it is the end of what is left."""
    return found.offset if newest_first else found.offset + 1


def places_after(found: Iterable[Found], *, newest_first: bool) -> Mapping[int, int]:
    """By partition the next offset after these records."""
    return {one.partition: moved_to(one, newest_first=newest_first) for one in found}
