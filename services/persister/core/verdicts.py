"""Turns the ends of analysis jobs into verdicts."""

from datetime import datetime, timedelta
from typing import NamedTuple

from parley.analyses import JobEnded
from services.persister.core.rows import Place


class ReceivedVerdict(NamedTuple):
    """The end of a job that has a result, with its record's place."""

    ended: JobEnded
    place: Place

    @property
    def key(self) -> tuple[str, str, int, str, int]:
        """What must be unique."""
        ended = self.ended
        return (
            ended.tenant_id,
            ended.segment_id,
            ended.revision,
            ended.pass_name,
            ended.pass_version,
        )

    @property
    def identity(self) -> tuple[str, bytes, bytes]:
        """What copies of one verdict have in common."""
        return self.ended.fingerprint, self.ended.member_digest, self.ended.content_digest


class VerdictRow(NamedTuple):
    """The result of one pass version over one revision of one segment."""

    tenant_id: str
    segment_id: str
    revision: int
    pass_name: str
    pass_version: int
    conversation_id: str
    fingerprint: str
    member_digest: bytes
    content_digest: bytes
    output_schema_version: int
    output: str
    trigger: str
    attempt_count: int
    started_at: datetime
    ended_at: datetime
    worker_id: str
    backfill_run_id: str | None
    model: str
    prompt_digest: bytes
    input_tokens: int
    output_tokens: int
    cost_micro_usd: int
    latency: timedelta
    is_from_memo: bool


def verdict_row(received: ReceivedVerdict) -> VerdictRow:
    """The row of a verdict."""
    ended = received.ended
    return VerdictRow(
        tenant_id=ended.tenant_id,
        segment_id=ended.segment_id,
        revision=ended.revision,
        pass_name=ended.pass_name,
        pass_version=ended.pass_version,
        conversation_id=ended.conversation_id,
        fingerprint=ended.fingerprint,
        member_digest=ended.member_digest,
        content_digest=ended.content_digest,
        output_schema_version=ended.output_schema_version,
        output=ended.output_json or "{}",
        trigger=ended.trigger.value,
        attempt_count=ended.attempt_count,
        started_at=ended.started_at,
        ended_at=ended.ended_at,
        worker_id=ended.worker_id,
        backfill_run_id=ended.backfill_run_id or None,
        model=ended.model,
        prompt_digest=ended.prompt_digest,
        input_tokens=ended.input_tokens,
        output_tokens=ended.output_tokens,
        cost_micro_usd=ended.cost_micro_usd,
        latency=ended.latency,
        is_from_memo=ended.is_from_memo,
    )
