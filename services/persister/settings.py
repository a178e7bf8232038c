"""The persister's own settings: how it batches, and when it refuses to go on."""

from datetime import timedelta

from pydantic import Field

from parley.settings import Settings, Span
from services.persister.core.bad_records import BadLimits


class PersisterSettings(Settings):
    """What the persister needs to know; its variables begin with PARLEY_PERSISTER_."""

    persister_batch_records: int = Field(
        default=6_000, ge=1, le=100_000, description="the most records that are worked on at a time"
    )
    persister_batch_linger: Span = Field(
        default=timedelta(milliseconds=50), description="how long a batch waits for more records"
    )
    persister_max_bad_in_a_row: int = Field(
        default=100, ge=1, description="unusable records in a row at which a partition stops"
    )
    persister_max_bad_ratio: float = Field(
        default=0.5, gt=0, le=1, description="share of unusable records above which it stops"
    )
    persister_bad_window: int = Field(
        default=1_000, ge=1, description="the records of which that share is taken"
    )
    persister_discarded_kept: Span = Field(
        default=timedelta(days=28), description="how long discarded dead letters are kept"
    )

    @property
    def bad_limits(self) -> BadLimits:
        """When a partition stops."""
        return BadLimits(
            self.persister_max_bad_in_a_row,
            self.persister_max_bad_ratio,
            self.persister_bad_window,
        )
