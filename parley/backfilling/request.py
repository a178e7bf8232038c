"""What is asked of a backfill, and whether it makes sense."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from parley.backfilling.core import BackfillPass, Filters
from parley.errors import UserError

# Enough that workers never wait for the next ones, and few enough that the table stays small.
DEFAULT_CONCURRENCY: Final = 1_000
MOST_CONCURRENCY: Final = 100_000
# Jobs a second: fewer, and the moment of the next one could be beyond all calendars.
LEAST_RATE: Final = 0.001
MICRO: Final = 1_000_000
MOST_USD: Final = 1_000_000.0


@dataclass(frozen=True, slots=True)
class BackfillRequest:
    """Passes to be run over segments of the past.

    `limit` is the most jobs of the run, `rate` the most that are enqueued in a second, and
    `concurrency` the most that wait for workers, or are at work, at one time: parked ones do not
    count.
    """

    passes: Sequence[BackfillPass]
    filters: Filters = field(default_factory=Filters)
    limit: int | None = None
    is_newest_first: bool = False
    is_from_segments: bool = False
    rate: float | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    budget_micro_usd: int | None = None

    @property
    def is_ordered(self) -> bool:
        """Whether the partitions are read together, in the order of time."""
        return in_one_order(
            self.limit, is_newest_first=self.is_newest_first, is_from_segments=self.is_from_segments
        )

    def check(self) -> None:
        """Raises UserError for what cannot be done."""
        filters = self.filters
        if not self.passes:
            raise UserError(
                "No pass is named.", "Name passes, or take all that are enabled with --all."
            )
        if filters.since and filters.until and filters.since >= filters.until:
            raise UserError("--since is not before --until.", "No segment can lie between them.")
        if self.rate is not None and not self.rate >= LEAST_RATE:
            raise UserError(
                f"A rate of {self.rate} jobs a second is too small.",
                f"{LEAST_RATE} is the least: that is one job in a quarter of an hour.",
            )
        if self.concurrency < len(self.passes):
            raise UserError(
                f"A concurrency of {self.concurrency} holds not even one segment's jobs.",
                f"There are {len(self.passes)} passes: --concurrency must be as much at least.",
            )


def in_one_order(limit: int | None, *, is_newest_first: bool, is_from_segments: bool) -> bool:
    """Whether a run's partitions are read together, in the order of time.

    Otherwise each is read for itself, by whichever analyzer has time.
    """
    return limit is not None or is_newest_first or is_from_segments
