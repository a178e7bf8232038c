"""Decides what the calls of an attempt have cost, once it is over."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from parley.analyses import Charge

# After these nobody knows whether the model has worked, and is paid: the estimate goes on to count.
# And it is the segment that may be to blame, where others are answered meanwhile.
MAYBE_PAID: Final = frozenset(
    ("timeout", "connection_lost", "unreadable_answer", "answer_too_long")
)


def settled(reserved: Sequence[Charge], cost_micro_usd: int) -> tuple[Charge, ...]:
    """Charges of calls that all were answered: the model tells what they cost together.

    What was settled before stays as it is. Of the rest each is given an equal part, the last one
    what remains.
    """
    known = [one.actual_micro_usd for one in reserved if one.actual_micro_usd is not None]
    left, count = cost_micro_usd - sum(known), len(reserved) - len(known)
    parts = _parts(left, count)
    return tuple(
        one if one.actual_micro_usd is not None else replace(one, actual_micro_usd=next(parts))
        for one in reserved
    )


def _parts(whole: int, count: int) -> Iterator[int]:
    for left in range(count, 0, -1):
        part = whole if left == 1 else whole // left
        yield part
        whole -= part


def refused(reserved: Sequence[Charge], cost_micro_usd: int, reason: str) -> tuple[Charge, ...]:
    """Charges of calls of which the last one was not answered; the cost is that of the others.

    What may have been paid for is left as it was reserved.
    """
    answered, last = settled(reserved[:-1], cost_micro_usd), tuple(reserved[-1:])
    return (*answered, *(last if reason in MAYBE_PAID else settled(last, 0)))
