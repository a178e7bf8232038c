"""The analyzer's settings."""

from datetime import timedelta

from pydantic import Field

from parley.settings import Settings, Span


class AnalyzerSettings(Settings):
    """What only the analyzer needs to know."""

    analyzer_workers: int = Field(
        default=2, ge=1, le=64, description="claims that are worked on at the same time"
    )
    analyzer_claim_jobs: int = Field(
        default=64, ge=1, le=1_000, description="most jobs of one claim"
    )
    analyzer_claim_backfill_jobs: int = Field(
        default=16,
        ge=1,
        le=1_000,
        description="the same of a backfill: a live job may have to wait for them",
    )
    analyzer_claim_messages: int = Field(
        default=10_000, ge=1, description="most messages of one claim, unless one job has more"
    )
    analyzer_lease: Span = Field(
        default=timedelta(seconds=15),
        ge=timedelta(seconds=1),
        description="silence after which a worker's jobs are given to another",
    )
    analyzer_attempts: int = Field(
        default=3, ge=1, le=100, description="failures after which a job has failed"
    )
    analyzer_rest: Span = Field(
        default=timedelta(seconds=1),
        ge=timedelta(0),
        description="wait after a job's first failure; it doubles with each",
    )
