"""Rows to the analyzer's values and back."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from parley import clock
from parley.analyses import Analysis, Charge, JobKey, JobRef, JobTrigger, Lane
from parley.codec import Header, Outgoing, encode_analysis, event_key
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.db import outbox
from parley.db.pool import Connection
from parley.db.sql import load
from parley.digests import SpokenMember
from parley.events import Content, Role
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.core.jobs import Attempt, Job, Segment

CONSUMER: Final = "analyzer"

SQL: Final = {**load(__package__), **load(__package__, "budgets.sql")}


Told = tuple[int, Outgoing]
"""A record of the analyses topic, and the partition of its job's seal: whose relay publishes it."""


def to_outgoing(settings: Settings, told: Analysis, traced: tuple[Header, ...] = ()) -> Outgoing:
    """What became of a job, for the analyses topic; `traced` names whose span tells it."""
    key = event_key(told.job.tenant_id, told.job.conversation_id)
    topic = settings.topic(Topic.ANALYSES)
    return Outgoing(topic, key, encode_analysis(told), (*ANALYSIS_HEADERS, *traced))


async def publish(
    connection: Connection, settings: Settings, told: Iterable[tuple[int, Analysis]]
) -> None:
    """Write records into the outbox within the caller's transaction, by their seals' partitions."""
    await enqueue(connection, settings, [(at, to_outgoing(settings, one)) for at, one in told])


async def enqueue(connection: Connection, settings: Settings, told: Sequence[Told]) -> None:
    """The same of what is ready to be published."""
    await outbox.enqueue_all(connection, CONSUMER, settings.topic(Topic.SEALS), told)


def columns(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows of equal length, of which there is at least one, as columns."""
    return list(zip(*rows, strict=True))


def key_of(job: Job) -> JobKey:
    """The job's key."""
    return job.ref.key


def key_of_row(row: Any) -> JobKey:
    """The key of a job's row."""
    return (
        row["tenant_id"],
        str(row["segment_id"]),
        row["revision"],
        row["pass_name"],
        row["pass_version"],
    )


def job_row(job: Job) -> tuple[Any, ...]:
    """A new job."""
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


def charge_row(job: JobRef, charge: Charge) -> tuple[Any, ...]:
    """A charge, settled or not."""
    return (
        charge.reservation_id,
        job.tenant_id,
        job.conversation_id,
        job.segment_id,
        job.revision,
        job.pass_name,
        job.pass_version,
        charge.utc_day,
        charge.lane.value,
        charge.backfill_run_id or None,
        charge.estimated_micro_usd,
        charge.actual_micro_usd,
    )


def bounds(segment: Segment) -> tuple[Any, ...]:
    """What says which messages a segment has."""
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


def attempt_of(row: Any) -> Attempt:
    """A claimed job."""
    job = Job(
        segment_of_row(row, row["events_partition"], row["source_partition"]),
        row["pass_name"],
        row["pass_version"],
        row["fingerprint"],
        JobTrigger(row["trigger"]),
        Lane(row["lane"]),
        row["priority"],
        str(row["backfill_run_id"] or ""),
    )
    return Attempt(
        job,
        row["attempt_count"],
        row["failure_count"],
        clock.now(),
        row["released_count"],
        row["generation"],
        row["traceparent"] or "",
    )


def segment_of_row(row: Any, events_partition: int, source_partition: int) -> Segment:
    """A revision of a segment; jobs and the persister's revisions have the same columns of it.

    But for its two partitions, which they name otherwise, or do not know.
    """
    return Segment(
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
        events_partition=events_partition,
        decided_offset=row["decided_offset"],
        source_partition=source_partition,
        sealed_at=row["sealed_at"],
    )


def member_of(row: Any) -> SpokenMember:
    """A message as it was sealed."""
    return SpokenMember(
        event_time=row["event_time"],
        event_id=str(row["id"]),
        role=Role(row["role"]),
        content=Content(row["content"], row["audio_url"], row["metadata_text"]),
        content_version=str(row["content_version"] or ""),
        is_interrupted=row["is_interrupted"],
    )
