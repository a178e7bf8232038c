"""The sealer's settings: how often it saves, and how patient it is before it ticks."""

from datetime import timedelta

from pydantic import Field

from parley.settings import Settings, Span


class SealerSettings(Settings):
    """Settings named PARLEY_SEALER_…, beside those of every service."""

    sealer_batch_records: int = Field(
        default=20_000,
        ge=1,
        le=100_000,
        description="records in memory, of which half are folded between two saves, at most",
    )
    sealer_save_interval: Span = Field(
        default=timedelta(seconds=1), ge=timedelta(0), description="time between two saves"
    )
    sealer_tick_delay: Span = Field(
        default=timedelta(seconds=1),
        ge=timedelta(0),
        description="how long past a deadline a record may still come before a tick is written",
    )
    sealer_tick_interval: Span = Field(
        default=timedelta(seconds=5),
        ge=timedelta(milliseconds=100),
        description="the shortest time between two ticks of a partition",
    )
