"""Jobs in PostgreSQL: inserted for seals, leased to workers, ended once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from parley import clock, ids
from parley.analyses import JobEnded, JobTrigger, Lane
from parley.codec import Outgoing, encode_job_ended, event_key
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.db import outbox
from parley.db.fence import FenceKey
from parley.db.pool import Connection, Pool
from parley.db.sql import load
from parley.digests import SpokenMember
from parley.events import Content, Role
from parley.passes.code import CodePass
from parley.topics import Topic
from services.analyzer.core.jobs import Attempt, Job, Segment, Stale
from services.analyzer.core.outcomes import Outcome
from services.analyzer.settings import AnalyzerSettings

CONSUMER: Final = "analyzer"

_SQL: Final = load(__package__)


@dataclass(frozen=True, slots=True)
class Claim:
    """Jobs that one worker holds under one token, until its lease runs out."""

    token: str
    attempts: tuple[Attempt, ...]


async def insert_jobs(connection: Connection, jobs: Sequence[Job]) -> None:
    """Write new jobs within the caller's transaction; known ones stay as they are.

    One whose end is known already is ended at once.
    """
    if jobs:
        # Nobody keeps an end of a job that is being inserted as one of no job.
        await connection.execute(_SQL["lock_ends_shared"])
        await connection.execute(_SQL["insert_jobs"], *_columns(_job_row(job) for job in jobs))
        await connection.execute(_SQL["end_known_jobs"], *_columns(map(_key, jobs)))


async def apply_ends(connection: Connection, ends: Sequence[JobEnded]) -> None:
    """Write within the caller's transaction that these jobs have ended, those to come included."""
    if not ends:
        return
    rows = _columns((*key_of_end(one), one.end.value, one.reason) for one in ends)
    # First of all: a job that appears after this question is there for the others.
    is_any_unknown = await connection.fetchval(_SQL["is_any_unknown"], *rows[:5])
    if is_any_unknown:
        await connection.execute(_SQL["lock_ends"])
    await connection.execute(_SQL["apply_ends"], *rows)
    if is_any_unknown:
        await connection.execute(_SQL["keep_ends"], *rows)


async def passed_ends(pool: Pool, consumer: str, topic: str) -> dict[int, int]:
    """Up to where the ends of each partition of the analyses topic are applied."""
    rows = await pool.fetch(_SQL["passed_ends"], consumer, topic)
    return {row["partition"]: row["next_offset"] for row in rows}


def key_of_end(ended: JobEnded) -> tuple[str, str, int, str, int]:
    """Of which job it is the end."""
    return (
        ended.tenant_id,
        ended.segment_id,
        ended.revision,
        ended.pass_name,
        ended.pass_version,
    )


async def end_stale(connection: Connection, stale: Sequence[Stale]) -> list[tuple[Attempt, str]]:
    """End as superseded what is no longer wanted; returns the jobs with the reason."""
    if not stale:
        return []
    rows = await connection.fetch(_SQL["end_stale_jobs"], *_columns(map(astuple, stale)))
    return [(attempt_of(row), row["reason"]) for row in rows]


def to_outgoing(settings: AnalyzerSettings, ended: JobEnded) -> Outgoing:
    """The end of a job as a record of the analyses topic."""
    key = event_key(ended.tenant_id, ended.conversation_id)
    topic = settings.topic(Topic.ANALYSES)
    return Outgoing(topic, key, encode_job_ended(ended), ANALYSIS_HEADERS)


class JobStore:
    """What a worker asks of PostgreSQL."""

    def __init__(self, pool: Pool, settings: AnalyzerSettings, passes: Sequence[CodePass]) -> None:
        self._pool = pool
        self._settings = settings
        self._fingerprints = [one.definition.fingerprint for one in passes]

    async def claim(self) -> Claim:
        """Lease the first jobs that can be run now; the attempts are counted."""
        settings = self._settings
        token = ids.random_id()
        rows = await self._pool.fetch(
            _SQL["claim_jobs"],
            settings.topic(Topic.EVENTS),
            self._fingerprints,
            settings.analyzer_claim_jobs,
            settings.analyzer_claim_messages,
            token,
            settings.analyzer_lease,
            settings.analyzer_claim_backfill_jobs,
        )
        return Claim(token, tuple(attempt_of(row) for row in rows))

    async def extend(self, claim: Claim) -> None:
        """Say that the holder of the claim is alive."""
        keys = _columns(_key(attempt.job) for attempt in claim.attempts)
        lease = self._settings.analyzer_lease
        await self._pool.execute(_SQL["extend_leases"], claim.token, *keys, lease)

    async def load(self, segments: Sequence[Segment]) -> dict[Segment, list[SpokenMember]]:
        """The messages of each segment as of the position at which it was sealed."""
        rows = await self._pool.fetch(_SQL["load_members"], *_columns(map(_bounds, segments)))
        loaded: dict[Segment, list[SpokenMember]] = {segment: [] for segment in segments}
        for row in rows:
            loaded[segments[row["number"] - 1]].append(_member(row))
        return loaded

    async def settle(self, claim: Claim, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Write outcomes, and their ends into the outbox, in one transaction.

        Returns those that counted: of a job that this claim no longer holds nothing is written.
        A crash before the COMMIT costs the attempts, which are made again when the lease is out.
        """
        rows = _columns(_outcome_row(outcome) for outcome in outcomes)
        async with self._pool.acquire() as connection, connection.transaction():
            settled = await connection.fetch(_SQL["settle_jobs"], claim.token, *rows)
            keys = {_key_of_row(row) for row in settled}
            counted = [outcome for outcome in outcomes if _key(outcome.job) in keys]
            await self._publish(connection, counted)
        return counted

    async def count_unfinished(self) -> dict[tuple[str, Lane], int]:
        """How many jobs are open, claimed and parked, by lane."""
        rows = await self._pool.fetch(_SQL["count_unfinished"])
        return {(row["state"], Lane(row["lane"])): row["jobs"] for row in rows}

    async def count_parked(self) -> dict[str, int]:
        """How many jobs are parked, by what they wait for."""
        rows = await self._pool.fetch(_SQL["count_parked"])
        return {row["reason"]: row["jobs"] for row in rows}

    async def _publish(self, connection: Connection, outcomes: Iterable[Outcome]) -> None:
        by_partition: dict[int, list[Outgoing]] = defaultdict(list)
        for outcome in outcomes:
            if outcome.ended is not None:
                ended = to_outgoing(self._settings, outcome.ended)
                by_partition[outcome.job.segment.source_partition].append(ended)
        for partition, batch in sorted(by_partition.items()):
            source = FenceKey(CONSUMER, self._settings.topic(Topic.SEALS), partition)
            await outbox.enqueue(connection, source, batch)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of equal length, of which there is at least one, as columns."""
    return list(zip(*rows, strict=True))


def _key(job: Job) -> tuple[str, str, int, str, int]:
    segment = job.segment
    return (
        segment.tenant_id,
        segment.segment_id,
        segment.revision,
        job.pass_name,
        job.pass_version,
    )


def _key_of_row(row: Any) -> tuple[str, str, int, str, int]:
    return (
        row["tenant_id"],
        str(row["segment_id"]),
        row["revision"],
        row["pass_name"],
        row["pass_version"],
    )


def _job_row(job: Job) -> tuple[Any, ...]:
    segment = job.segment
    return (
        segment.tenant_id,
        segment.conversation_id,
        segment.segment_id,
        segment.revision,
        job.pass_name,
        job.pass_version,
        job.fingerprint,
        segment.started_at,
        segment.ended_at,
        segment.first_event_id,
        segment.last_event_id,
        segment.message_count,
        segment.member_digest,
        segment.incarnation,
        segment.events_partition,
        segment.decided_offset,
        segment.source_partition,
        segment.sealed_at,
        job.trigger.value,
        job.lane.value,
        job.priority,
        job.backfill_run_id or None,
    )


def _bounds(segment: Segment) -> tuple[Any, ...]:
    return (
        segment.tenant_id,
        segment.conversation_id,
        segment.started_at,
        segment.first_event_id,
        segment.ended_at,
        segment.last_event_id,
        segment.incarnation,
        segment.events_partition,
        segment.decided_offset,
        segment.sealed_at,
    )


def _outcome_row(outcome: Outcome) -> tuple[Any, ...]:
    state, reason = outcome.state.value, outcome.reason
    return (*_key(outcome.job), state, reason, outcome.failure_count, outcome.due_in)


def attempt_of(row: Any) -> Attempt:
    """A job's row as an attempt that begins now."""
    segment = Segment(
        tenant_id=row["tenant_id"],
        conversation_id=row["conversation_id"],
        segment_id=str(row["segment_id"]),
        revision=row["revision"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        first_event_id=str(row["first_event_id"]),
        last_event_id=str(row["last_event_id"]),
        message_count=row["message_count"],
        member_digest=row["member_digest"],
        incarnation=row["incarnation"],
        events_partition=row["events_partition"],
        decided_offset=row["decided_offset"],
        source_partition=row["source_partition"],
        sealed_at=row["sealed_at"],
    )
    job = Job(
        segment,
        row["pass_name"],
        row["pass_version"],
        row["fingerprint"],
        JobTrigger(row["trigger"]),
        Lane(row["lane"]),
        row["priority"],
        str(row["backfill_run_id"] or ""),
    )
    return Attempt(job, row["attempt_count"], row["failure_count"], clock.now())


def _member(row: Any) -> SpokenMember:
    return SpokenMember(
        event_time=row["event_time"],
        event_id=str(row["id"]),
        role=Role(row["role"]),
        content=Content(row["content"], row["audio_url"], row["metadata_text"]),
        content_version=str(row["content_version"] or ""),
        is_interrupted=row["is_interrupted"],
    )
