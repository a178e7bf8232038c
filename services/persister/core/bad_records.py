"""Decides when so many records cannot be used that the fault must be ours: a wrong deploy.

What a client can cause alone (`id_conflict`) is not counted, or any client could stop a partition.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BadLimits:
    """A partition stops at `in_a_row` bad records, or above `ratio` of any `window` records."""

    in_a_row: int
    ratio: float
    window: int

    @property
    def reach(self) -> int:
        """How many records before a batch matter to it."""
        return max(self.in_a_row, self.window)


def problem(former: Sequence[int], bad: Sequence[int], limits: BadLimits) -> str | None:
    """What is wrong with a batch's bad offsets, for a person; None while all is well.

    Both sequences are in order; `former` are bad offsets before the batch, as far as its reach.
    """
    offsets = (*former, *bad)
    for index in range(len(former), len(offsets)):
        last = offsets[index]
        first = index - limits.in_a_row + 1
        if first >= 0 and last - offsets[first] < limits.in_a_row:
            return f"{limits.in_a_row} records in a row up to offset {last} cannot be used"
        count = index + 1 - bisect_left(offsets, last - limits.window + 1)
        if count > limits.ratio * limits.window:
            return f"{count} of {limits.window} records up to offset {last} cannot be used"
    return None


def remembered(
    former: Sequence[int], bad: Sequence[int], next_offset: int, limits: BadLimits
) -> Sequence[int]:
    """The bad offsets that matter to the batch at `next_offset`."""
    offsets = (*former, *bad)
    return offsets[bisect_left(offsets, next_offset - limits.reach) :]
