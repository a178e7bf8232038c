"""Reads back what a batch may touch: a few statements for all its conversations together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from parley.db.pool import Connection, Pool
from services.sealer.core import (
    NO_SEGMENT,
    ConversationKey,
    Entry,
    History,
    Key,
    Rejected,
    SessionRecord,
    StoredSegment,
    Wanted,
    WantedMessage,
    Wants,
)
from services.sealer.store import rows
from services.sealer.store.saving import SQL

Span = tuple[datetime, datetime]


async def histories(pool: Pool, wants: Wants) -> list[History]:
    """What the tables hold of the conversations that are wanted."""
    wanted = [*wants.conversations, *await _rejected(pool, wants.rejected)]
    if not wanted:
        return []
    merged = {one.key: one for one in wanted}
    if len(merged) < len(wanted):
        merged = _merge(wanted)
    # One connection for all: to get it and to give it back costs as much as to ask.
    async with pool.acquire() as connection:
        dropped = frozenset(one.event_id for one in wants.rejected)
        reading = _Reading(connection, merged, dropped)
        await reading.read()
    return [reading.history(one) for one in merged.values()]


async def holders(pool: Pool, rejected: Sequence[Rejected]) -> list[ConversationKey]:
    """The conversations that hold records which a table refused."""
    return [one.key for one in await _rejected(pool, rejected)]


async def _rejected(pool: Pool, rejected: Sequence[Rejected]) -> list[Wanted]:
    if not rejected:
        return []
    found = await pool.fetch(SQL["rejected"], *rows.columns(rejected, 2))
    return [
        Wanted(_key(row), (), (), (), targets=(str(row["event_id"]),), session_ids=())
        for row in found
    ]


def _merge(wanted: Iterable[Wanted]) -> dict[ConversationKey, Wanted]:
    """One wish a conversation."""
    merged: dict[ConversationKey, Wanted] = {}
    for one in wanted:
        other = merged.get(one.key)
        merged[one.key] = one if other is None else _union(other, one)
    return merged


def _union(one: Wanted, other: Wanted) -> Wanted:
    return Wanted(
        one.key,
        one.messages + other.messages,
        one.ranges + other.ranges,
        one.other_ids + other.other_ids,
        one.targets + other.targets,
        one.session_ids + other.session_ids,
    )


@dataclass(slots=True)
class _Found:
    """What the statements brought of one conversation."""

    known: dict[str, str] = field(default_factory=dict)
    segments: list[StoredSegment] = field(default_factory=list)
    cuts: list[Key] = field(default_factory=list)
    sessions: list[SessionRecord] = field(default_factory=list)
    early: list[Entry] = field(default_factory=list)
    window_span: tuple[Span, ...] = ()
    is_whole: bool = True


class _Reading:
    """One batch's reading; each step needs what the one before brought."""

    def __init__(
        self,
        connection: Connection,
        wanted: dict[ConversationKey, Wanted],
        dropped: frozenset[str],
    ) -> None:
        self._connection = connection
        self._wanted = wanted
        # Known now, but perhaps not any more when their messages come again.
        self._dropped = dropped
        self._found: dict[ConversationKey, _Found] = defaultdict(_Found)

    def history(self, wanted: Wanted) -> History:
        """What was found of a conversation."""
        found = self._found[wanted.key]
        return History(
            key=wanted.key,
            is_whole=found.is_whole,
            segments=tuple(found.segments),
            cuts=tuple(found.cuts),
            sessions=tuple(found.sessions),
            known_ids=tuple(found.known),
            early=tuple(found.early),
        )

    async def read(self) -> None:
        """Ask for everything; of conversations that are not stored nothing more is asked."""
        for row in await self._fetch("stored", self._wanted):
            self._found[_key(row)].is_whole = False
        self._wanted = {
            key: one for key, one in self._wanted.items() if not self._found[key].is_whole
        }
        if not self._wanted:
            return
        await self._read_known()
        await self._read_early()
        await self._read_segments()
        await self._read_cuts()
        await self._read_sessions()

    async def _read_known(self) -> None:
        asked = [(*one.key, event_id) for one in self._wanted.values() for event_id in _ids(one)]
        for row in await self._fetch("known", asked, 3):
            self._found[_key(row)].known[str(row["event_id"])] = str(row["segment_id"])

    async def _read_early(self) -> None:
        asked = [
            (*one.key, message.event_id)
            for one in self._wanted.values()
            for message in self._new_messages(one)
        ]
        if not asked:
            return
        columns = rows.columns(asked, 3)
        for row in await self._connection.fetch(SQL["early"], *columns, NO_SEGMENT):
            self._found[_key(row)].early.append(rows.entry(row))

    async def _read_segments(self) -> None:
        asked = [(*one.key, *self._range(one)) for one in self._wanted.values()]
        whole = {
            self._found[one.key].known[target]
            for one in self._wanted.values()
            for target in one.targets
            if target in self._found[one.key].known
        }
        openers = [m.event_id for one in self._wanted.values() for m in self._new_messages(one)]
        found = await self._connection.fetch(
            SQL["segments"], *rows.columns(asked, 4), sorted(whole), openers
        )
        in_full = [row for row in found if row["is_near"] or str(row["segment_id"]) in whole]
        entries = await read_entries(self._connection, in_full)
        seen = set()
        for row in found:
            seen.add(str(row["segment_id"]))
            self._add_segment(row, entries)
        for row in await self._fetch("tails", self._wanted):
            if str(row["segment_id"]) not in seen:
                self._add_segment(row, entries)

    def _add_segment(self, row: Any, entries: dict[str, tuple[Entry, ...]]) -> None:
        record = rows.segment(row, is_open=False)
        stored = StoredSegment(record, entries.get(record.segment_id))
        self._found[record.key].segments.append(stored)

    async def _read_cuts(self) -> None:
        for row in await self._fetch("window_spans", self._wanted):
            self._found[_key(row)].window_span = ((row["earliest"], row["latest"]),)
        asked = [
            (*one.key, min(start for start, _ in spans), max(end for _, end in spans))
            for one in self._wanted.values()
            if (spans := self._spans(one))
        ]
        for row in await self._fetch("cuts", asked, 4):
            self._found[_key(row)].cuts.append((row["event_time"], str(row["event_id"])))

    async def _read_sessions(self) -> None:
        asked = [(*one.key, name) for one in self._wanted.values() for name in one.session_ids]
        for row in await self._fetch("sessions", asked, 3):
            self._found[_key(row)].sessions.append(rows.session(row))

    def _new_messages(self, wanted: Wanted) -> list[WantedMessage]:
        known = self._found[wanted.key].known.keys() - self._dropped
        return [message for message in wanted.messages if message.event_id not in known]

    def _ranges(self, wanted: Wanted) -> list[Span]:
        new = [(message.earliest, message.latest) for message in self._new_messages(wanted)]
        return new + list(wanted.ranges)

    def _range(self, wanted: Wanted) -> tuple[datetime | None, datetime | None]:
        ranges = self._ranges(wanted)
        if not ranges:
            return None, None
        return min(start for start, _ in ranges), max(end for _, end in ranges)

    def _spans(self, wanted: Wanted) -> list[Span]:
        found = self._found[wanted.key]
        segments = [(one.record.first[0], one.record.reach) for one in found.segments]
        return [*segments, *self._ranges(wanted), *found.window_span]

    async def _fetch(self, query: str, asked: Iterable[Sequence[Any]], width: int = 2) -> list[Any]:
        columns = rows.columns(asked, width)
        if not columns[0]:
            return []
        found: list[Any] = await self._connection.fetch(SQL[query], *columns)
        return found


async def read_entries(
    tables: Pool | Connection, segments: Sequence[Any]
) -> dict[str, tuple[Entry, ...]]:
    """The sorted entries of segments' rows, by segment id; empty for one without any."""
    entries: dict[str, list[Entry]] = {str(row["segment_id"]): [] for row in segments}
    if not entries:
        return {}
    asked = [(row["tenant_id"], row["conversation_id"], row["segment_id"]) for row in segments]
    for row in await tables.fetch(SQL["members"], *rows.columns(asked, 3)):
        entries[str(row["segment_id"])].append(rows.entry(row))
    return {segment_id: tuple(sorted(found)) for segment_id, found in entries.items()}


def _ids(wanted: Wanted) -> set[str]:
    messages = {message.event_id for message in wanted.messages}
    return messages | set(wanted.other_ids) | set(wanted.targets)


def _key(row: Any) -> ConversationKey:
    return (row["tenant_id"], row["conversation_id"])
