"""Decides whether a call fits into what a pass may spend for a tenant on a day."""

from dataclasses import dataclass
from typing import Final

from parley.analyses import Lane

NO_LIMIT: Final = 2**62


@dataclass(frozen=True, slots=True)
class Spent:
    """What counts as spent so far, by lane, in millionths of a US dollar."""

    live_micro_usd: int = 0
    backfill_micro_usd: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent by both lanes together, and by backfills alone."""

    total_micro_usd: int = NO_LIMIT
    backfill_micro_usd: int = NO_LIMIT

    def room(self, spent: Spent, lane: Lane) -> int:
        """What a lane may still spend; less than 0 where a budget was lowered."""
        left = self.total_micro_usd - spent.live_micro_usd - spent.backfill_micro_usd
        if lane is Lane.BACKFILL:
            left = min(left, self.backfill_micro_usd - spent.backfill_micro_usd)
        return left


def limits_of(daily_budget_micro_usd: int | None, live_share: float) -> Limits:
    """The limits of a budget of which a share is kept for the live lane."""
    if daily_budget_micro_usd is None:
        return Limits()
    return Limits(daily_budget_micro_usd, int(daily_budget_micro_usd * (1 - live_share)))
