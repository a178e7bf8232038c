"""Reads what is open in a partition: the memory of a new owner."""

from typing import Any

from parley.db.pool import Pool
from services.sealer.core import (
    ConversationKey,
    Key,
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
    entries = await read_entries(pool, windows)
    records = [rows.segment(row, is_open=True) for row in windows]
    opened = [StoredSegment(record, entries[record.segment_id]) for record in records]
    found = await pool.fetch(SQL["open_sessions"], partition)
    sessions = tuple(rows.session(row) for row in found)
    keys = sorted({one.record.key for one in opened} | {one.key for one in sessions})
    segments = [*opened, *await _tails(pool, keys, opened)]
    segments.sort(key=lambda one: (one.record.key, one.record.first))
    cuts = await _cuts(pool, segments)
    return Snapshot(await _partition(pool, topic, partition), tuple(segments), cuts, sessions)


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
        key = (row["tenant_id"], row["conversation_id"])
        cut = (row["event_time"], str(row["event_id"]))
        if cut >= firsts[key]:
            cuts.append((key, cut))
    return tuple(cuts)
