"""Runs the passes of claimed jobs over loaded texts: no database, so that a thread can do it."""

import traceback
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import Histogram

from parley import clock
from parley.digests import SpokenMember, content_digest
from parley.passes.code import CodePass, Output, SegmentText, to_json
from parley.passes.schemas import InvalidOutput, OutputSchema
from services.analyzer.core.jobs import Attempt, Job, Segment, text_of
from services.analyzer.core.outcomes import (
    Attempting,
    Outcome,
    Result,
    abandoned,
    has_lost_too_many,
    parked,
    raised,
    succeeded,
)

log = structlog.get_logger(__name__)

DIGEST_MISMATCH: Final = "digest_mismatch"

PASS_SECONDS: Final = Histogram(
    "parley_analyzer_pass_seconds",
    "Seconds that one pass took over one segment.",
    ["pass_name"],
    buckets=(0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)


class Runner:
    """Makes attempts; `passes` are all that a claimed job may name."""

    def __init__(self, passes: Sequence[CodePass], rules: Attempting) -> None:
        self._passes = {(one.definition.name, one.definition.version): one for one in passes}
        self._schemas = {
            key: OutputSchema(one.definition.output_schema) for key, one in self._passes.items()
        }
        self._rules = rules

    def run(
        self, attempts: Sequence[Attempt], members: Mapping[Segment, Sequence[SpokenMember]]
    ) -> list[Outcome]:
        """What becomes of each job. What a pass raises is its job's failure, never the caller's."""
        texts = {segment: text_of(segment, spoken) for segment, spoken in members.items()}
        return [self._attempt(attempt, texts[attempt.job.segment]) for attempt in attempts]

    def _attempt(self, attempt: Attempt, text: SegmentText | None) -> Outcome:
        if text is None:
            log.error("digest_mismatch", **names(attempt.job))
            return parked(attempt, DIGEST_MISMATCH)
        if has_lost_too_many(attempt):
            log.error("job_lost_its_workers", **names(attempt.job))
            return abandoned(attempt, self._rules, clock.now())
        digest = content_digest(text.messages)
        try:
            result = self._result(attempt.job, text)
        except Exception as error:  # noqa: BLE001 - whatever a pass raises is its job's failure
            _note_failure(attempt.job, error)
            return raised(attempt, _reason(error), digest, self._rules, clock.now())
        return succeeded(attempt, result, digest, self._rules, clock.now())

    def _result(self, job: Job, text: SegmentText) -> Result:
        key = job.pass_name, job.pass_version
        used = self._passes[key]
        started_at = clock.monotonic()
        output = used.run(text)
        PASS_SECONDS.labels(job.pass_name).observe(clock.monotonic() - started_at)
        return Result(used.definition, _checked(output, self._schemas[key]))


def _checked(output: Output, schema: OutputSchema) -> str:
    """The output as JSON; raises InvalidOutput if it is none, or is not as the schema says."""
    try:
        output_json = to_json(output)
    except (TypeError, ValueError) as error:
        raise InvalidOutput("no JSON") from error
    schema.check(output_json)
    return output_json


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, InvalidOutput) else type(error).__name__


def names(job: Job) -> dict[str, object]:
    """The job's ids, for a line of the log."""
    return {
        "tenant_id": job.segment.tenant_id,
        "segment_id": job.segment.segment_id,
        "revision": job.segment.revision,
        "pass_name": job.pass_name,
        "pass_version": job.pass_version,
    }


def _note_failure(job: Job, error: Exception) -> None:
    # Where it was raised, and not what it says: the text may quote the conversation.
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.name}:{last.lineno}"
    log.warning("pass_raised", **names(job), error=type(error).__name__, place=place)
