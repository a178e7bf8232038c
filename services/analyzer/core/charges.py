"""Decides what the calls of an attempt have cost, once it is over."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from parley.analyses import Charge

# After these nobody knows whether the model has worked, and is paid: the estimate goes on to count.
MAYBE_PAID: Final = frozenset(
    ("timeout", "connection_lost", "unreadable_answer", "answer_too_long")
)


def settled(reserved: Sequence[Charge], cost_micro_usd: int) -> tuple[Charge, ...]:
    """Charges of calls that all were answered: the model tells what they cost together.

    Each is given an equal part, the last one what remains.
    """
    if not reserved:
        return ()
    part = cost_micro_usd // len(reserved)
    parts = [part] * (len(reserved) - 1)
    parts.append(cost_micro_usd - sum(parts))
    return tuple(
        replace(charge, actual_micro_usd=actual)
        for charge, actual in zip(reserved, parts, strict=True)
    )


def refused(reserved: Sequence[Charge], cost_micro_usd: int, reason: str) -> tuple[Charge, ...]:
    """Charges of calls of which the last one was not answered; the cost is that of the others.

    What may have been paid for is left as it was reserved.
    """
    answered = settled(reserved[:-1], cost_micro_usd)
    if reason in MAYBE_PAID:
        return answered
    return (*answered, *settled(reserved[-1:], 0))
