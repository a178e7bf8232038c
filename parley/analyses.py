"""How analysis jobs go and end: attempts, charges, verdicts and every other end."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum, StrEnum


class Lane(IntEnum):
    """Which queue a job waits in; a lower one goes first."""

    LIVE = 0
    BACKFILL = 1


class JobEndKind(StrEnum):
    """How a job ended."""

    VERDICT = "verdict"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


class JobTrigger(StrEnum):
    """What made the job."""

    SEAL = "seal"
    BACKFILL = "backfill"
    REDRIVE = "redrive"


@dataclass(frozen=True, slots=True)
class JobRef:
    """Which job: all but the conversation and the fingerprint are its key."""

    tenant_id: str
    conversation_id: str
    segment_id: str
    revision: int
    pass_name: str
    pass_version: int
    fingerprint: str

    @property
    def key(self) -> "JobKey":
        """What must be unique."""
        return (
            self.tenant_id,
            self.segment_id,
            self.revision,
            self.pass_name,
            self.pass_version,
        )


JobKey = tuple[str, str, int, str, int]
"""Tenant, segment, revision, pass and version."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money reserved for a call, in millionths of a US dollar, and once it is known what it cost.

    `utc_day` is the day whose budget it is taken from.
    """

    reservation_id: str
    utc_day: date
    lane: Lane
    backfill_run_id: str
    estimated_micro_usd: int
    actual_micro_usd: int | None = None

    @property
    def counted_micro_usd(self) -> int:
        """What counts as spent: until it is known, all that was reserved."""
        return self.estimated_micro_usd if self.actual_micro_usd is None else self.actual_micro_usd


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """A call is about to be made, in the attempt of that number.

    Of the attempts before it `failure_count` failed, and `released_count` do not count: the
    provider was away, or the budget was spent.
    """

    job: JobRef
    attempt: int
    failure_count: int
    released_count: int
    generation: int
    worker_id: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class ChargeRecorded:
    """Money was reserved for a call, or a call was settled without its job's end."""

    job: JobRef
    charge: Charge


@dataclass(frozen=True, slots=True)
class JobReopened:
    """A job that had ended without a verdict, or waited for somebody, begins anew."""

    job: JobRef
    generation: int
    attempt_count: int
    trigger: JobTrigger
    reopened_by: str
    reopened_at: datetime


@dataclass(frozen=True, slots=True)
class JobEnded:
    """The end of one pass version over one revision of one segment.

    `output_json` is a JSON object as text, empty where there is no result. Tokens, cost (in
    millionths of a US dollar) and charges are those of the last attempt; there are none for passes
    that are code, nor where the result `is_from_memo`.
    """

    tenant_id: str
    conversation_id: str
    segment_id: str
    revision: int
    pass_name: str
    pass_version: int
    fingerprint: str
    end: JobEndKind
    reason: str
    member_digest: bytes
    content_digest: bytes
    output_schema_version: int
    output_json: str
    trigger: JobTrigger
    attempt_count: int
    started_at: datetime
    ended_at: datetime
    worker_id: str
    backfill_run_id: str = ""
    model: str = ""
    prompt_digest: bytes = b""
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    charges: tuple[Charge, ...] = ()
    latency: timedelta = timedelta(0)
    is_from_memo: bool = False
    generation: int = 0

    @property
    def job(self) -> JobRef:
        """Which job has ended."""
        return JobRef(
            self.tenant_id,
            self.conversation_id,
            self.segment_id,
            self.revision,
            self.pass_name,
            self.pass_version,
            self.fingerprint,
        )


Analysis = JobEnded | AttemptStarted | ChargeRecorded | JobReopened
