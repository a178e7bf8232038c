"""Decides what becomes of a job after an attempt: its end, another attempt, or a stop."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from parley.analyses import JobEnded, JobEndKind
from parley.passes.definition import PassDefinition
from services.analyzer.core.jobs import Attempt, Job

# A worker that dies takes its jobs' attempts along, and most often no job is to blame. One that
# kills its worker each time ends here; jobs that lost a worker are claimed alone, so that it
# takes no others along.
MAX_LOST_ATTEMPTS: Final = 20
# A record is refused above 1,000,000 bytes, and the ids in it need some of them.
MAX_OUTPUT_BYTES: Final = 900_000


class JobState(StrEnum):
    """Where a job stands. All but the first three are its end; parked jobs wait for somebody."""

    OPEN = "open"
    CLAIMED = "claimed"
    PARKED = "parked"
    VERDICT = "verdict"
    FAILED = "failed"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt makes of its job; `ended` is what is told of it, where it is the end."""

    job: Job
    state: JobState
    reason: str = ""
    failure_count: int = 0
    due_in: timedelta = timedelta(0)
    ended: JobEnded | None = None


@dataclass(frozen=True, slots=True)
class Attempting:
    """Who attempts, how often a job may fail, and how long it first rests after it did."""

    worker_id: str
    max_failures: int
    first_rest: timedelta


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass made of a text, as JSON."""

    used: PassDefinition
    output_json: str


def has_lost_too_many(attempt: Attempt) -> bool:
    """Whether so many workers died over the job that it is not tried again."""
    return attempt.attempt_count - attempt.failure_count > MAX_LOST_ATTEMPTS


def abandoned(attempt: Attempt, rules: Attempting, now: datetime) -> Outcome:
    """The job's workers died too often."""
    return _failed(attempt, "worker_lost", b"", rules, now)


def parked(attempt: Attempt, reason: str) -> Outcome:
    """The job can neither be run nor ended until somebody looks."""
    return Outcome(attempt.job, JobState.PARKED, reason, attempt.failure_count)


def succeeded(
    attempt: Attempt, result: Result, content_digest: bytes, rules: Attempting, now: datetime
) -> Outcome:
    """There is a verdict, unless no record can hold it."""
    if len(result.output_json.encode()) > MAX_OUTPUT_BYTES:
        return _failed(attempt, "output_too_large", content_digest, rules, now)
    verdict = replace(
        end_of(attempt, JobEndKind.VERDICT, "", rules.worker_id, now),
        content_digest=content_digest,
        output_schema_version=result.used.output_schema_version,
        output_json=result.output_json,
    )
    return Outcome(attempt.job, JobState.VERDICT, "", attempt.failure_count, ended=verdict)


def raised(
    attempt: Attempt, error_type: str, content_digest: bytes, rules: Attempting, now: datetime
) -> Outcome:
    """The pass raised: again after a rest that doubles each time, until it failed too often."""
    failures = attempt.failure_count + 1
    if failures >= rules.max_failures:
        return _failed(attempt, error_type, content_digest, rules, now)
    rest = rules.first_rest * 2 ** (failures - 1)
    return Outcome(attempt.job, JobState.OPEN, error_type, failures, due_in=rest)


def end_of(
    attempt: Attempt, end: JobEndKind, reason: str, worker_id: str, now: datetime
) -> JobEnded:
    """The end of a job without a result."""
    job, segment = attempt.job, attempt.job.segment
    return JobEnded(
        tenant_id=segment.tenant_id,
        conversation_id=segment.conversation_id,
        segment_id=segment.segment_id,
        revision=segment.revision,
        pass_name=job.pass_name,
        pass_version=job.pass_version,
        fingerprint=job.fingerprint,
        end=end,
        reason=reason,
        member_digest=segment.member_digest,
        content_digest=b"",
        output_schema_version=0,
        output_json="",
        trigger=job.trigger,
        attempt_count=attempt.attempt_count,
        started_at=attempt.started_at,
        ended_at=now,
        worker_id=worker_id,
    )


def _failed(
    attempt: Attempt, reason: str, content_digest: bytes, rules: Attempting, now: datetime
) -> Outcome:
    end = end_of(attempt, JobEndKind.FAILED, reason, rules.worker_id, now)
    failures = attempt.failure_count + (reason != "worker_lost")
    told = replace(end, content_digest=content_digest)
    return Outcome(attempt.job, JobState.FAILED, reason, failures, ended=told)
