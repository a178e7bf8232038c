"""Backfills: what is asked of one, and how far it is."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from parley.backfilling.request import DEFAULT_CONCURRENCY, LEAST_RATE, MOST_CONCURRENCY
from parley.backfilling.runs import Progress, RunState
from services.gateway.api.fields import Moment
from services.gateway.api.models.base import Id, Request

MOST_PASSES = 100
RUN_ID = "7e0186a4-1b1f-43c4-a540-bb32da416a20"

Count = Annotated[int, Field(ge=1, lt=2**62)]


class BackfillIn(Request):
    """Which passes are to be run over which segments of the past."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"passes": ["sentiment"], "since": "2026-01-01T00:00:00Z", "newest_first": True}
            ]
        }
    )

    passes: list[Id] = Field(
        default_factory=list,
        max_length=MOST_PASSES,
        description="By name; `name@2` takes that version, otherwise the one in force.",
    )
    all: bool = Field(default=False, description="All passes that are enabled, instead.")
    since: Moment | None = Field(default=None, description="Of a segment's end.")
    until: Moment | None = Field(default=None, description="The segment ended before.")
    channel: Id | None = None
    conversation_id: Id | None = None
    limit: Count | None = Field(default=None, description="Most jobs of the run.")
    newest_first: bool = False
    from_segments: bool = Field(
        default=False,
        description="Read the stored segments, where the log does not reach back.",
    )
    rate: float | None = Field(
        default=None, ge=LEAST_RATE, le=100_000, description="Most jobs enqueued in a second."
    )
    concurrency: int = Field(
        default=DEFAULT_CONCURRENCY,
        ge=1,
        le=MOST_CONCURRENCY,
        description="Most jobs of the run that wait for a worker, or are at work, at one time; "
        "parked ones do not count.",
    )
    budget_micro_usd: Count | None = Field(
        default=None, description="Most that the run may spend, in millionths of a US dollar."
    )


class BackfillPassOut(BaseModel):
    """One pass of a run."""

    name: str = Field(examples=["sentiment"])
    version: int
    fingerprint: str
    found: dict[str, int] = Field(
        description="How many segments stand how: `covered`, `missing`, `stale_version`, …"
    )
    jobs: dict[str, int] = Field(description="The run's jobs by state.")


class SuspendedPassOut(BaseModel):
    """A pass of which no job is run as things are."""

    name: str = Field(examples=["summary"])
    version: int
    reason: str = Field(examples=["bad_key"])
    since: datetime


class BackfillOut(BaseModel):
    """A run, and how far it is."""

    id: str = Field(examples=[RUN_ID])
    state: RunState
    reason: str
    passes: list[BackfillPassOut]
    since: datetime | None
    until: datetime | None
    channel: str | None
    conversation_id: str | None
    limit: int | None
    newest_first: bool
    from_segments: bool
    rate: float | None
    concurrency: int
    budget_micro_usd: int | None
    spent_micro_usd: int
    records_passed: int
    records_total: int
    records_lost: int = Field(description="Seals that the log holds no more.")
    enqueued: int
    jobs: dict[str, int] = Field(examples=[{"verdict": 117, "open": 3}])
    parked_because: dict[str, int] = Field(
        description="Of the parked ones, how many wait for what. They hold no other job up: a run "
        "may be finished but for them, and most go on by themselves.",
        examples=[{"no_provider": 3}],
    )
    suspended_passes: list[SuspendedPassOut] = Field(
        description="What a run that goes on waits for: passes of its own that are suspended, "
        "until somebody has mended what is wrong and resumes them."
    )
    started_by: str
    created_at: datetime
    enqueued_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, found: Progress) -> "BackfillOut":
        """A run with its figures."""
        one = found.run
        return cls(
            id=one.id,
            state=one.state,
            reason=one.reason,
            passes=[
                BackfillPassOut(
                    name=each.name,
                    version=each.version,
                    fingerprint=each.fingerprint,
                    found=dict(found.tally.by_pass.get(each.name, {})),
                    jobs=dict(found.by_pass.get(each.name, {})),
                )
                for each in one.passes
            ],
            since=one.filters.since,
            until=one.filters.until,
            channel=one.filters.channel,
            conversation_id=one.filters.conversation_id,
            limit=one.limit,
            newest_first=one.is_newest_first,
            from_segments=one.is_from_segments,
            rate=one.rate,
            concurrency=one.concurrency,
            budget_micro_usd=one.budget_micro_usd,
            spent_micro_usd=found.spent_micro_usd,
            records_passed=found.passed,
            records_total=found.total,
            records_lost=found.lost,
            enqueued=one.enqueued_count,
            jobs=dict(found.jobs),
            parked_because=dict(found.parked_because),
            suspended_passes=[
                SuspendedPassOut(
                    name=each.pass_name,
                    version=each.pass_version,
                    reason=each.reason,
                    since=each.since,
                )
                for each in found.suspended
            ],
            started_by=one.started_by,
            created_at=one.created_at,
            enqueued_at=one.enqueued_at,
            finished_at=one.finished_at,
        )


class BackfillsOut(BaseModel):
    """The newest runs."""

    backfills: list[BackfillOut]
