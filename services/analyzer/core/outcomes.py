"""Decides what becomes of a job after an attempt: its end, another attempt, or a stop."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from parley.analyses import Charge, JobEnded, JobEndKind
from parley.passes.definition import PassDefinition
from services.analyzer.core.charges import MAYBE_PAID
from services.analyzer.core.jobs import Attempt, Job

# A worker that dies takes its jobs' attempts along, and most often no job is to blame. One that
# kills its worker each time ends here; jobs that lost a worker are claimed alone, so that it
# takes no others along.
MAX_LOST_ATTEMPTS: Final = 20
# A record is refused above 1,000,000 bytes, and the ids in it need some of them.
MAX_OUTPUT_BYTES: Final = 900_000
# Of an answer that is none the beginning shows what a model makes of the prompt.
MAX_RAW_CHARACTERS: Final = 20_000


class JobState(StrEnum):
    """Where a job stands. All but the first three are its end; parked jobs wait for somebody."""

    OPEN = "open"
    CLAIMED = "claimed"
    PARKED = "parked"
    VERDICT = "verdict"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt makes of its job; `ended` is what is told of it, where it is the end.

    `charges` are what its calls cost, as far as that is known. With `suspends` no job of the pass
    can succeed as things are set, and why.
    """

    job: Job
    state: JobState
    reason: str = ""
    failure_count: int = 0
    released_count: int = 0
    due_in: timedelta = timedelta(0)
    ended: JobEnded | None = None
    charges: tuple[Charge, ...] = ()
    estimated_micro_usd: int | None = None
    raw_answer: str | None = None
    suspends: str = ""


@dataclass(frozen=True, slots=True)
class Attempting:
    """Who attempts, and how long a job first rests after it failed."""

    worker_id: str
    first_rest: timedelta


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass made of a text, as JSON, and for prompts where it is from."""

    used: PassDefinition
    output_json: str
    model: str = ""
    prompt_digest: bytes = b""
    input_tokens: int = 0
    output_tokens: int = 0
    charges: tuple[Charge, ...] = ()
    latency: timedelta = timedelta(0)
    is_from_memo: bool = False


def has_lost_too_many(attempt: Attempt) -> bool:
    """Whether so many workers died over the job that it is not tried again."""
    return attempt.lost_count > MAX_LOST_ATTEMPTS


def abandoned(attempt: Attempt, rules: Attempting, now: datetime) -> Outcome:
    """The job's workers died too often."""
    end = end_of(attempt, JobEndKind.FAILED, "worker_lost", rules.worker_id, now)
    return _outcome(attempt, JobState.FAILED, "worker_lost", ended=end)


def parked(attempt: Attempt, reason: str, estimated_micro_usd: int | None = None) -> Outcome:
    """The job can neither be run nor ended as things are: the attempt does not count."""
    outcome = _outcome(attempt, JobState.PARKED, reason, is_released=True)
    return replace(outcome, estimated_micro_usd=estimated_micro_usd)


def released(
    attempt: Attempt, reason: str, due_in: timedelta, charges: Sequence[Charge] = ()
) -> Outcome:
    """The job is no worse than before: later again, and the attempt does not count."""
    outcome = _outcome(attempt, JobState.OPEN, reason, is_released=True)
    return replace(outcome, due_in=due_in, charges=tuple(charges))


def succeeded(
    attempt: Attempt, result: Result, content_digest: bytes, rules: Attempting, now: datetime
) -> Outcome:
    """The pass gave a result."""
    if len(result.output_json.encode()) > MAX_OUTPUT_BYTES:
        return failed(
            attempt, "output_too_large", content_digest, rules, now, charges=result.charges
        )
    verdict = replace(
        end_of(attempt, JobEndKind.VERDICT, "", rules.worker_id, now),
        content_digest=content_digest,
        output_schema_version=result.used.output_schema_version,
        output_json=result.output_json,
        model=result.model,
        prompt_digest=result.prompt_digest,
        input_tokens=result.input_tokens,
        output_tokens=result.output_tokens,
        cost_micro_usd=sum(charge.counted_micro_usd for charge in result.charges),
        charges=result.charges,
        latency=result.latency,
        is_from_memo=result.is_from_memo,
    )
    return _outcome(attempt, JobState.VERDICT, "", ended=verdict, charges=result.charges)


def raised(
    attempt: Attempt,
    used: PassDefinition,
    error_type: str,
    content_digest: bytes,
    rules: Attempting,
    now: datetime,
    charges: Sequence[Charge] = (),
) -> Outcome:
    """The pass raised: again after a rest that doubles each time, until it failed too often."""
    failures = attempt.failure_count + 1
    if failures >= used.attempts:
        return failed(attempt, error_type, content_digest, rules, now, charges=charges)
    outcome = _outcome(attempt, JobState.OPEN, error_type, charges=charges)
    rest = rules.first_rest * 2 ** (failures - 1)
    return replace(outcome, failure_count=failures, due_in=rest)


def unavailable(
    attempt: Attempt,
    used: PassDefinition,
    reason: str,
    rest: timedelta,
    content_digest: bytes,
    rules: Attempting,
    now: datetime,
    charges: Sequence[Charge],
    *,
    is_provider_down: bool,
) -> Outcome:
    """The model was not available: later again, after its `rest` at least.

    What may have been paid for counts as a failure of the job, unless the provider is down: a
    segment over which alone it says nothing of use would be paid for again and again. A refusal
    (429, 5xx) costs nothing, and neither does what was not called.
    """
    if is_provider_down or reason not in MAYBE_PAID or not charges:
        return released(attempt, reason, rest, charges)
    outcome = raised(attempt, used, reason, content_digest, rules, now, charges)
    return replace(outcome, due_in=max(outcome.due_in, rest))


def failed(
    attempt: Attempt,
    reason: str,
    content_digest: bytes,
    rules: Attempting,
    now: datetime,
    *,
    charges: Sequence[Charge] = (),
    raw_answer: str | None = None,
) -> Outcome:
    """No other attempt is made, until somebody redrives the job."""
    end = replace(
        end_of(attempt, JobEndKind.FAILED, reason, rules.worker_id, now),
        content_digest=content_digest,
        cost_micro_usd=sum(charge.counted_micro_usd for charge in charges),
        charges=tuple(charges),
    )
    outcome = _outcome(attempt, JobState.FAILED, reason, ended=end, charges=charges)
    raw = None if raw_answer is None else _storable(raw_answer)
    return replace(outcome, failure_count=attempt.failure_count + 1, raw_answer=raw)


def _storable(raw: str) -> str:
    """The beginning, without what PostgreSQL's text cannot hold."""
    cut = raw[:MAX_RAW_CHARACTERS].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return cut.encode(errors="replace").decode()


def _outcome(
    attempt: Attempt,
    state: JobState,
    reason: str,
    *,
    is_released: bool = False,
    ended: JobEnded | None = None,
    charges: Sequence[Charge] = (),
) -> Outcome:
    return Outcome(
        attempt.job,
        state,
        reason,
        attempt.failure_count,
        attempt.released_count + is_released,
        ended=ended,
        charges=tuple(charges),
    )


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
        backfill_run_id=job.backfill_run_id,
        generation=attempt.generation,
    )
