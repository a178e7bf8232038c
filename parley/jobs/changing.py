"""Begins jobs anew and cancels them: the tables and the log are told in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from parley.analyses import (
    Analysis,
    JobEnded,
    JobEndKind,
    JobKey,
    JobRef,
    JobReopened,
    JobTrigger,
)
from parley.codec import Outgoing, encode_analysis, event_key
from parley.codec.analyses import ANALYSIS_HEADERS
from parley.db import outbox
from parley.db.fence import FenceKey
from parley.db.pool import Connection
from parley.db.sql import load
from parley.settings import Settings
from parley.topics import Topic

_SQL: Final = load(__package__)
# Its relays publish what becomes of jobs.
_ANALYZER: Final = "analyzer"

REOPENABLE: Final = ("failed", "parked", "cancelled")
CHANGEABLE: Final = ("open", "claimed", "parked")


async def reopen(
    connection: Connection, settings: Settings, keys: Sequence[JobKey], by: str, now: datetime
) -> list[JobKey]:
    """Have jobs begin anew, within the caller's transaction; returns those that do.

    The log is told before anything else can become of them, so that whoever reads it from its
    beginning does not take their former ends for the last ones.
    """

    def told(row: Any) -> JobReopened:
        return JobReopened(
            _ref(row), row["generation"], row["attempt_count"], JobTrigger.REDRIVE, by, now
        )

    return await _change(connection, settings, ("reopen", *_columns(keys)), told)


async def cancel(
    connection: Connection,
    settings: Settings,
    keys: Sequence[JobKey],
    reason: str,
    by: str,
    now: datetime,
) -> list[JobKey]:
    """End jobs that have no end, within the caller's transaction; returns those that had none."""

    def told(row: Any) -> JobEnded:
        return _cancelled(row, by, now)

    return await _change(connection, settings, ("cancel", *_columns(keys), reason), told)


async def _change(
    connection: Connection,
    settings: Settings,
    query: tuple[Any, ...],
    told: Callable[[Any], Analysis],
) -> list[JobKey]:
    name, *arguments = query
    rows = await connection.fetch(_SQL[name], *arguments)
    by_partition: dict[int, list[Outgoing]] = defaultdict(list)
    for row in rows:
        by_partition[row["source_partition"]].append(_outgoing(settings, told(row)))
    for partition, batch in sorted(by_partition.items()):
        source = FenceKey(_ANALYZER, settings.topic(Topic.SEALS), partition)
        await outbox.enqueue(connection, source, batch)
    return [_ref(row).key for row in rows]


def _columns(keys: Sequence[JobKey]) -> list[tuple[Any, ...]]:
    return list(zip(*keys, strict=True)) if keys else [(), (), (), (), ()]


def _outgoing(settings: Settings, told: Analysis) -> Outgoing:
    key = event_key(told.job.tenant_id, told.job.conversation_id)
    return Outgoing(settings.topic(Topic.ANALYSES), key, encode_analysis(told), ANALYSIS_HEADERS)


def _ref(row: Any) -> JobRef:
    return JobRef(
        row["tenant_id"],
        row["conversation_id"],
        str(row["segment_id"]),
        row["revision"],
        row["pass_name"],
        row["pass_version"],
        row["fingerprint"],
    )


def _cancelled(row: Any, by: str, now: datetime) -> JobEnded:
    return JobEnded(
        tenant_id=row["tenant_id"],
        conversation_id=row["conversation_id"],
        segment_id=str(row["segment_id"]),
        revision=row["revision"],
        pass_name=row["pass_name"],
        pass_version=row["pass_version"],
        fingerprint=row["fingerprint"],
        end=JobEndKind.CANCELLED,
        reason=row["reason"],
        member_digest=row["member_digest"],
        content_digest=b"",
        output_schema_version=0,
        output_json="",
        trigger=JobTrigger(row["trigger"]),
        attempt_count=row["attempt_count"],
        started_at=now,
        ended_at=now,
        worker_id=by,
        backfill_run_id=str(row["backfill_run_id"] or ""),
        generation=row["generation"],
    )
