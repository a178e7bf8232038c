"""Runs the passes of claimed jobs over loaded texts: no database, so that a thread can do it."""

import traceback
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Final

import structlog
from prometheus_client import Histogram

from parley import clock
from parley.codec import InvalidRecord
from parley.codec.validity import check_json_object
from parley.digests import SpokenMember, content_digest
from parley.passes.code import CodePass, Output, SegmentText, to_json
from parley.passes.definition import PassDefinition
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
from services.analyzer.known import KnownPasses

log = structlog.get_logger(__name__)

DIGEST_MISMATCH: Final = "digest_mismatch"
TIMEOUT: Final = "timeout"

PASS_SECONDS: Final = Histogram(
    "parley_analyzer_pass_seconds",
    "Seconds that one pass took over one segment.",
    ["pass_name"],
    buckets=(0.0001, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30),
)


class Runner:
    """Makes attempts at jobs of passes that are known."""

    def __init__(self, known: KnownPasses, rules: Attempting) -> None:
        self._known = known
        self._schemas: dict[str, OutputSchema] = {}
        self._rules = rules

    def run(
        self, attempts: Sequence[Attempt], members: Mapping[Segment, Sequence[SpokenMember]]
    ) -> list[Outcome]:
        """What becomes of each job. What a pass raises is its job's failure, never the caller's."""
        return list(self.each(attempts, members))

    def each(
        self, attempts: Sequence[Attempt], members: Mapping[Segment, Sequence[SpokenMember]]
    ) -> Iterator[Outcome]:
        """The same, one after the other."""
        texts = {segment: text_of(segment, spoken) for segment, spoken in members.items()}
        for attempt in attempts:
            yield self._attempt(attempt, texts[attempt.job.segment])

    def timeout_s(self, attempt: Attempt) -> float:
        """How long the job's pass may take."""
        return self._known.code(attempt.job.fingerprint).definition.timeout.total_seconds()

    def timed_out(self, attempt: Attempt) -> Outcome:
        """The pass took longer than it may: that is a failure like another."""
        log.warning("pass_timed_out", **names(attempt.job))
        used = self._known.code(attempt.job.fingerprint).definition
        return raised(attempt, used, TIMEOUT, b"", self._rules, clock.now())

    def _attempt(self, attempt: Attempt, text: SegmentText | None) -> Outcome:
        if text is None:
            log.error("digest_mismatch", **names(attempt.job))
            return parked(attempt, DIGEST_MISMATCH)
        if has_lost_too_many(attempt):
            log.error("job_lost_its_workers", **names(attempt.job))
            return abandoned(attempt, self._rules, clock.now())
        digest = content_digest(text.messages)
        used = self._known.code(attempt.job.fingerprint)
        try:
            result = self._result(used, text)
        except Exception as error:  # noqa: BLE001 - whatever a pass raises is its job's failure
            note_failure(attempt.job, error)
            now = clock.now()
            return raised(attempt, used.definition, _reason(error), digest, self._rules, now)
        return succeeded(attempt, result, digest, self._rules, clock.now())

    def _result(self, used: CodePass, text: SegmentText) -> Result:
        started_at = clock.monotonic()
        output = used.run(text)
        seconds = clock.monotonic() - started_at
        PASS_SECONDS.labels(used.definition.name).observe(seconds)
        output_json = _checked(output, self._schema(used.definition))
        return Result(used.definition, output_json, latency=timedelta(seconds=seconds))

    def _schema(self, definition: PassDefinition) -> OutputSchema:
        schema = self._schemas.get(definition.fingerprint)
        if schema is None:
            schema = OutputSchema(definition.output_schema)
            self._schemas[definition.fingerprint] = schema
        return schema


def _checked(output: Output, schema: OutputSchema) -> str:
    """The output as JSON; raises InvalidOutput if it is none, or is not as the schema says."""
    try:
        output_json = to_json(output)
    except (TypeError, ValueError) as error:
        raise InvalidOutput("no JSON") from error
    schema.check(output_json)
    try:
        check_json_object(output_json)
    except InvalidRecord as error:
        raise InvalidOutput("no JSON object that can be stored") from error
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


def note_failure(job: Job, error: Exception) -> None:
    """Say that a pass raised, and where."""
    # Where it was raised, and not what it says: the text may quote the conversation.
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.name}:{last.lineno}"
    log.warning("pass_raised", **names(job), error=type(error).__name__, place=place)
