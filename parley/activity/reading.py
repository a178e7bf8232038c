"""Reads the latest figures from the tables that the activity worker writes."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from parley.activity.figures import (
    FRESH_FOR,
    NO_WORKER,
    WINDOWS,
    Activity,
    ActivityState,
    Counts,
    Group,
    GroupFigures,
)
from parley.db.pool import Connection, Pool
from parley.db.sql import load

_SQL: Final = load(__package__)
_COUNTS: Final = ("messages", "conversations", "user_words", "assistant_words", "audio_messages")

Row = Mapping[str, Any]


async def read_activity(pool: Pool, tenant_id: str | None = None) -> Activity:
    """The latest figures of a tenant, or of all."""
    async with pool.acquire() as connection:
        return await _read(connection, tenant_id)


async def _read(connection: Connection, tenant_id: str | None) -> Activity:
    # Of one moment: a worker may exchange its figures between two statements.
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        partitions = await connection.fetch(_SQL["partitions"], FRESH_FOR)
        numbers = [row["partition"] for row in partitions]
        rows = await connection.fetch(_SQL["figures"], numbers, tenant_id) if numbers else []
    return activity_of(partitions, rows)


def activity_of(partitions: Sequence[Row], rows: Iterable[Row]) -> Activity:
    """What the tables' rows say; `partitions` are those that somebody measures now."""
    if not partitions:
        return NO_WORKER
    oldest = max(partitions, key=lambda row: row["age"])
    reasons = _reasons(partitions)
    return Activity(
        ActivityState.INCOMPLETE if reasons else ActivityState.COUNTED,
        _groups(rows),
        oldest["measured_at"],
        oldest["age"],
        reasons,
    )


def _reasons(partitions: Sequence[Row]) -> list[str]:
    """Why the figures are too low; nothing where they are not."""
    expected = max(row["partition_count"] for row in partitions)
    behind = sum(row["behind_records"] for row in partitions)
    reasons = []
    if len(partitions) < expected:
        reasons.append(f"{len(partitions)} of {expected} partitions are measured")
    if behind:
        reasons.append(f"{behind:,} records are still to be read")
    if any(row["is_capped"] for row in partitions):
        reasons.append("there are more channels or conversations than are counted")
    return reasons


def _groups(rows: Iterable[Row]) -> Mapping[Group, GroupFigures]:
    found: dict[Group, dict[timedelta, Counts]] = {}
    for row in rows:
        empty = dict.fromkeys(WINDOWS, Counts())
        figures = found.setdefault(Group(row["tenant_id"], row["channel"]), empty)
        window = timedelta(seconds=row["window_seconds"])
        figures[window] = Counts(*(row[name] for name in _COUNTS))
    return found
