"""The activity worker's settings: how often it tells its figures, and how much it keeps."""

from datetime import timedelta

from pydantic import Field

from parley.settings import Settings, Span


class ActivitySettings(Settings):
    """Settings named PARLEY_ACTIVITY_…, beside those of every service."""

    activity_interval: Span = Field(
        default=timedelta(seconds=2),
        ge=timedelta(milliseconds=100),
        # Figures that are older than 15 seconds count as nobody's.
        le=timedelta(seconds=5),
        description="time between two measurements",
    )
    activity_max_groups: int = Field(
        default=1_000, ge=1, le=100_000, description="pairs of tenant and channel, by partition"
    )
    activity_max_channels: int = Field(
        default=100, ge=1, le=10_000, description="channels of one tenant, by partition"
    )
    activity_max_conversations: int = Field(
        default=50_000, ge=1, le=10_000_000, description="active conversations, by partition"
    )
