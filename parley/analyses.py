"""How analysis jobs end: verdicts and every other end."""

from dataclasses import dataclass
from datetime import datetime
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
class JobEnded:
    """The end of one pass version over one revision of one segment.

    `output_json` is a JSON object as text, empty where there is no result. Money and tokens are
    zero for passes that are code.
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
