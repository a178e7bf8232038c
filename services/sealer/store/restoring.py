"""Reads what is open in a partition: in outline for a new owner, then whole what wakes."""

from collections.abc import Sequence
from typing import Any

from parley.db.pool import Pool
from services.sealer.core import (
    ConversationKey,
    Key,
    Outline,
    PartitionRecord,
    Snapshot,
    StoredSegment,
)
from services.sealer.store import rows
from services.sealer.store.recalling import read_entries
from services.sealer.store.saving import SQL


async def snapshot(pool: Pool, topic: str, partition: int) -> Snapshot:
    """What is open, with each such conversation's last segment in outline and its cuts."""
    windows = await pool.fetch(SQL["open_windows"], partition)
    sessions = await pool.fetch(SQL["open_sessions"], partition)
    return await _whole(pool, await _partition(pool, topic, partition), windows, sessions)


async def outline(pool: Pool, topic: str, partition: int) -> Outline:
    """When what is open falls due."""
    windows = await pool.fetch(SQL["window_deadlines"], partition)
    sessions = await pool.fetch(SQL["session_arrivals"], partition)
    return Outline(
        await _partition(pool, topic, partition),
        tuple((_key(row), row["deadline"]) for row in windows),
        tuple((_key(row), row["last_arrival"]) for row in sessions),
    )


async def remembered(
    pool: Pool, topic: str, partition: int, keys: Sequence[ConversationKey]
) -> Snapshot:
    """What is open in these conversations, as `snapshot` has it."""
    columns = rows.columns(keys, 2)
    windows = await pool.fetch(SQL["open_windows_of"], *columns)
    sessions = await pool.fetch(SQL["open_sessions_of"], *columns)
    return await _whole(pool, await _partition(pool, topic, partition), windows, sessions)


async def _whole(
    pool: Pool, partition: PartitionRecord, windows: list[Any], found: list[Any]
) -> Snapshot:
    entries = await read_entries(pool, windows)
    records = [rows.segment(row, is_open=True) for row in windows]
    opened = [StoredSegment(record, entries[record.segment_id]) for record in records]
    sessions = tuple(rows.session(row) for row in found)
    keys = sorted({one.record.key for one in opened} | {one.key for one in sessions})
    segments = [*opened, *await _tails(pool, keys, opened)]
    segments.sort(key=lambda one: (one.record.key, one.record.first))
    cuts = await _cuts(pool, segments)
    return Snapshot(partition, tuple(segments), cuts, sessions)


async def _partition(pool: Pool, topic: str, partition: int) -> PartitionRecord:
    row = await pool.fetchrow(SQL["partition"], topic, partition)
    if row is None:
        return PartitionRecord(None, 1, ())
    return PartitionRecord(row["watermark"], row["rule_version"], rows.imports(row["imports"]))


async def _tails(
    pool: Pool, keys: list[ConversationKey], opened: list[StoredSegment]
) -> list[StoredSegment]:
    """The last closed segment of each conversation, where no open one comes after it."""
    last: dict[ConversationKey, Key] = {}
    for one in opened:
        key = one.record.key
        last[key] = max(last.get(key, one.record.first), one.record.first)
    found: list[Any] = await pool.fetch(SQL["tails"], *rows.columns(keys, 2))
    records = [rows.segment(row, is_open=False) for row in found]
    return [
        StoredSegment(record, None)
        for record in records
        if record.key not in last or record.first > last[record.key]
    ]


async def _cuts(
    pool: Pool, segments: list[StoredSegment]
) -> tuple[tuple[ConversationKey, Key], ...]:
    firsts: dict[ConversationKey, Key] = {}
    for one in segments:
        firsts.setdefault(one.record.key, one.record.first)
    asked = [(*key, first[0]) for key, first in firsts.items()]
    cuts = []
    for row in await pool.fetch(SQL["cuts_from"], *rows.columns(asked, 3)):
        key = _key(row)
        cut = (row["event_time"], str(row["event_id"]))
        if cut >= firsts[key]:
            cuts.append((key, cut))
    return tuple(cuts)


def _key(row: Any) -> ConversationKey:
    return (row["tenant_id"], row["conversation_id"])
