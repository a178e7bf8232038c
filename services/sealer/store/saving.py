"""Writes what a batch changed, within the fence's transaction; rows sorted by key."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from parley.db import copying
from parley.db.pool import Connection
from parley.db.sql import load
from parley.rules import RULES
from services.sealer.core import (
    NO_SEGMENT,
    Changes,
    ConversationKey,
    Entries,
    Key,
    SegmentRecord,
    SessionRecord,
)
from services.sealer.store import rows

SQL: Final = load(__package__)
_MEMBER: Final = (
    *("tenant_id", "conversation_id", "event_id", "segment_id", "event_time", "log_offset"),
    "target",
)
# Tenant, conversation and event id.
_MEMBER_KEY: Final = 3


async def save(connection: Connection, topic: str, partition: int, changes: Changes) -> None:
    """Write the changes; the tables then say what memory said when they were taken."""
    whole = changes.partition
    imports = rows.imports_to_json(whole.imports)
    own = (whole.watermark, whole.rule_version, imports, sorted(RULES))
    await connection.execute(SQL["save_partition"], topic, partition, *own)
    await _write(connection, "delete_windows", _gone(changes), 3)
    await _write_whole(connection, "save_windows", _segments(changes.open, partition))
    await _save_segments(connection, _segments(changes.closed, partition))
    await _write(connection, "delete_members", _segment_keys(changes.rewritten), 3)
    await _write(connection, "delete_ids", _segment_keys(changes.dropped), 3)
    await _save_members(connection, _members(changes))
    await _write(connection, "delete_cuts", _cuts(changes.cuts_lifted), 4)
    await _write(connection, "save_cuts", _cuts(changes.cuts_placed), 4)
    await _write_whole(connection, "save_sessions", _sessions(changes.sessions, partition))


async def _write(
    connection: Connection, query: str, values: Sequence[Sequence[Any]], width: int
) -> None:
    if values:
        await connection.execute(SQL[query], *rows.columns(values, width))


async def _write_whole(connection: Connection, query: str, whole: Sequence[Any]) -> None:
    """Rows as one text: of arrays the driver looks at each value, which takes longer."""
    if whole:
        await connection.execute(SQL[query], rows.as_json(whole))


async def _save_segments(connection: Connection, segments: Sequence[dict[str, Any]]) -> None:
    """By COPY what is closed for the first time, and so is no row yet; the rest is merged."""
    new = [one for one in segments if one["revision"] <= 1]
    if new:
        copied = list(map(rows.values, new))
        if await copying.copy_new_rows(connection, "sealer_segments", tuple(new[0]), copied):
            segments = [one for one in segments if one["revision"] > 1]
    await _write_whole(connection, "save_segments", segments)


async def _save_members(connection: Connection, members: Sequence[tuple[Any, ...]]) -> None:
    """By COPY, at a third of the cost: nearly all ids are new; one that is known may move."""
    if not members:
        return
    if not await copying.copy_new_rows(connection, "sealer_members", _MEMBER, members):
        await _write(connection, "save_members", members, len(_MEMBER))


def _gone(changes: Changes) -> list[tuple[str, ...]]:
    closed = [(record.key, record.segment_id) for record in changes.closed]
    return _segment_keys([*changes.absorbed, *closed])


def _segment_keys(keys: Iterable[tuple[ConversationKey, str]]) -> list[tuple[str, ...]]:
    return sorted({(*key, segment_id) for key, segment_id in keys})


def _segments(records: Iterable[SegmentRecord], partition: int) -> list[dict[str, Any]]:
    in_order = sorted(records, key=lambda one: (one.key, one.segment_id))
    return [rows.segment_row(one, partition) for one in in_order]


def _sessions(records: Iterable[SessionRecord], partition: int) -> list[dict[str, Any]]:
    in_order = sorted(records, key=lambda one: (one.key, one.session_id))
    return [rows.session_row(one, partition) for one in in_order]


def _members(changes: Changes) -> list[tuple[Any, ...]]:
    """Sorted by conversation, and within a segment by id."""
    members = [
        (*key, event_id, segment_id, event_time, offset, target or None)
        for key, segment_id, entries in sorted(changes.entries, key=_of_conversation)
        for event_id, event_time, offset, target in sorted(entries)
    ]
    if any(segment_id == NO_SEGMENT for _, segment_id, _ in changes.entries):
        # An id that came early and found its message in the same batch is there twice: last wins.
        return list({row[:_MEMBER_KEY]: row for row in members}.values())
    return members


def _of_conversation(entries: Entries) -> ConversationKey:
    # The sort is stable: what belongs to no segment comes first, as it was given.
    return entries.key


def _cuts(cuts: Iterable[tuple[ConversationKey, Key]]) -> list[tuple[Any, ...]]:
    return sorted((*key, *place) for key, place in cuts)
