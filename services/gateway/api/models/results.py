"""What the passes found out: verdicts, and segments with all that was decided about them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel, Field

from parley.results.reading import as_verdict
from services.gateway.api.models.conversations import VerdictOut

SEGMENT_ID = "0f8fad5b-d9cb-569f-a165-70867728950e"


class MadeVerdictOut(VerdictOut):
    """A verdict, and how it was made."""

    segment_id: str = Field(examples=[SEGMENT_ID])
    revision: int = Field(description="Of the segment: what the pass was run over.")
    is_current: bool = Field(
        description="Whether this revision is the segment's latest, and the segment stands."
    )
    is_newest_version: bool = Field(
        description="Whether no greater version of the pass has a verdict of this revision."
    )
    output_schema_version: int
    fingerprint: str = Field(description="A hash of all of the pass that can change its result.")
    trigger: str = Field(examples=["seal"])
    backfill_run_id: str | None
    model: str = Field(description="Empty for passes that are code.")
    prompt_digest: str
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int = Field(description="In millionths of a US dollar.")
    latency_seconds: float
    is_from_memo: bool = Field(description="Whether an earlier answer was taken for it.")
    attempt_count: int
    started_at: datetime
    ended_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """A row of the tables."""
        return cls(**as_verdict(row))


class VerdictsOut(BaseModel):
    """One page of verdicts, the newest first."""

    verdicts: list[MadeVerdictOut]
    next_cursor: str | None


class RevisionOut(BaseModel):
    """One decision about a segment."""

    revision: int
    previous_revision: int = Field(description="0 for none.")
    cause: str
    started_at: datetime
    ended_at: datetime
    message_count: int
    participants: list[str]
    policy_id: str
    policy_version: int
    rule_version: int
    sealed_at: datetime
    absorbed: list[str] = Field(description="The segments that this decision merged into this one.")


class WholeSegmentOut(BaseModel):
    """A segment with its revisions, the latest first, and its verdicts, the newest first.

    Of revisions the latest 200, of verdicts 50 of each kind; all of them are the conversation's.
    """

    segment_id: str = Field(examples=[SEGMENT_ID])
    conversation_id: str
    revision: int = Field(description="The latest.")
    is_retracted: bool = Field(description="Whether it stands no more.")
    merged_into: str | None = Field(
        description="Of a retracted one: the segment that has its talk."
    )
    continues: str | None = Field(
        description="The segment before, where its talk seems to go on: it ended within four idle "
        "gaps, and somebody spoke in both."
    )
    absorbed: list[str] = Field(description="Segments that were merged into this one.")
    channel: str | None
    started_at: datetime | None
    ended_at: datetime | None
    message_count: int | None
    cause: str | None
    revisions: list[RevisionOut]
    verdicts: list[MadeVerdictOut] = Field(description="Those that count.")
    former_verdicts: list[MadeVerdictOut] = Field(
        description="Those of former revisions, or of a segment that stands no more."
    )


class CoverageDayOut(BaseModel):
    """Where the segments stand that ended on a UTC day, and that a pass in force is for."""

    pass_name: str
    pass_version: int
    day: date
    segments: int = Field(description="Each is counted in one of the following.")
    current: int = Field(description="With a verdict of the latest revision by this version.")
    missing: int = Field(description="With none, or not yet.")
    stale: int = Field(description="Only with one of a former revision or version.")
    parked: int = Field(description="The job waits for somebody or something.")
    failed: int = Field(description="The job has failed for good.")


class CoverageOut(BaseModel):
    """How far the passes in force have come, by pass and day, the latest day first."""

    since: datetime
    until: datetime
    coverage: list[CoverageDayOut]
