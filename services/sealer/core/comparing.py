"""Compares two ways in which the same messages of a conversation fall into segments."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from services.sealer.core.records import Key


class Outcome(StrEnum):
    """What becomes of segments: whole ones go together, one comes apart, or both."""

    UNCHANGED = "unchanged"
    MERGED = "merged"
    SPLIT = "split"
    REGROUPED = "regrouped"


class Stretch(NamedTuple):
    """A segment, as far as it is compared; `seals` is how often it was sealed, with its merged."""

    first: Key
    last: Key
    segment_id: str
    digest: bytes
    channel: str
    revision: int = 1
    seals: int = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Segments of before and of after that share messages, and no message with any other."""

    before: tuple[Stretch, ...]
    after: tuple[Stretch, ...]

    @property
    def outcome(self) -> Outcome:
        """What becomes of those of before."""
        counts = len(self.before), len(self.after)
        if counts == (1, 1) and self.before[0].digest == self.after[0].digest:
            return Outcome.UNCHANGED
        if counts[1] == 1 < counts[0]:
            return Outcome.MERGED
        if counts[0] == 1 < counts[1]:
            return Outcome.SPLIT
        return Outcome.REGROUPED

    @property
    def channel(self) -> str:
        """That of the earliest segment; before counts, where there is one."""
        return min(self.before or self.after).channel


def compare(before: Iterable[Stretch], after: Iterable[Stretch]) -> Iterator[Group]:
    """Group them, in order. Segments of one side never overlap; both hold the same messages."""
    marked = [(one, True) for one in before] + [(one, False) for one in after]
    former: list[Stretch] = []
    latter: list[Stretch] = []
    reach: Key | None = None
    for one, is_before in sorted(marked):
        if reach is not None and one.first > reach:
            yield Group(tuple(former), tuple(latter))
            former, latter, reach = [], [], None
        (former if is_before else latter).append(one)
        reach = one.last if reach is None else max(reach, one.last)
    if reach is not None:
        yield Group(tuple(former), tuple(latter))
