"""Reads back what a batch may touch: a few statements for all its conversations together."""

from collections import defaultdict
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from heapq import nlargest
from itertools import pairwise
from typing import Any, Final

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
    Wish,
)
from services.sealer.store import rows
from services.sealer.store.saving import SQL

Span = tuple[datetime, datetime]
# Of a conversation in a batch: each is compared with every segment that the conversation has.
MOST_RANGES: Final = 8


async def histories(pool: Pool, wants: Wants) -> list[History]:
    """What the tables hold of the conversations that are wanted."""
    refused = await _rejected(pool, wants.rejected)
    if not wants.conversations and not refused:
        return []
    # One connection for all: to get it and to give it back costs as much as to ask.
    async with pool.acquire() as connection:
        stored = await _stored(connection, wants.conversations)
        wanted = _merge([*_wanted(wants.conversations, stored), *refused])
        dropped = frozenset(one.event_id for one in wants.rejected)
        reading = _Reading(connection, wanted, dropped)
        await reading.read()
    new = [one.key for one in wants.conversations if one.key not in stored]
    return [
        *(History(key, is_whole=True) for key in new if key not in wanted),
        *(reading.history(one) for one in wanted.values()),
    ]


async def _stored(connection: Connection, wishes: Sequence[Wish]) -> set[ConversationKey]:
    """Which of the conversations the tables hold anything of."""
    columns = rows.columns([one.key for one in wishes], 2)
    return {_key(row) for row in await connection.fetch(SQL["stored"], *columns)}


def _wanted(wishes: Iterable[Wish], stored: Set[ConversationKey]) -> list[Wanted]:
    """Of conversations that are not stored nothing more is asked."""
    return [one.wanted() for one in wishes if one.key in stored]


async def holders(pool: Pool, rejected: Sequence[Rejected]) -> list[ConversationKey]:
    """The conversations that hold records which a table refused."""
    return [one.key for one in await _rejected(pool, rejected)]


async def _rejected(pool: Pool, rejected: Sequence[Rejected]) -> list[Wanted]:
    if not rejected:
        return []
    found = await pool.fetch(SQL["rejected"], *rows.columns(rejected, 2))
    return [Wanted(_key(row), is_stranger=True, targets=(str(row["event_id"]),)) for row in found]


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
        one.is_stranger or other.is_stranger,
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
        # The messages of each conversation whose ids are not known.
        self._new: dict[ConversationKey, list[WantedMessage]] = {}

    def history(self, wanted: Wanted) -> History:
        """What was found of a conversation."""
        found = self._found[wanted.key]
        return History(
            key=wanted.key,
            is_whole=False,
            segments=tuple(found.segments),
            cuts=tuple(found.cuts),
            sessions=tuple(found.sessions),
            known_ids=tuple(found.known),
            early=tuple(found.early),
        )

    async def read(self) -> None:
        """Ask for everything."""
        if not self._wanted:
            return
        await self._read_known()
        await self._read_early()
        await self._read_refused()
        await self._read_segments()
        await self._read_tails()
        await self._read_cuts()
        await self._read_sessions()

    async def _read_known(self) -> None:
        asked = [_asked(one, event_ids=_ids(one)) for one in self._wanted.values()]
        for row in await self._connection.fetch(SQL["known"], rows.as_json(asked)):
            self._found[_key(row)].known[str(row["event_id"])] = str(row["segment_id"])
        for one in self._wanted.values():
            known = self._found[one.key].known.keys() - self._dropped
            self._new[one.key] = [m for m in one.messages if m.event_id not in known]

    async def _read_early(self) -> None:
        asked = [
            _asked(one, event_ids=[message.event_id for message in new])
            for one in self._wanted.values()
            if (new := self._new[one.key])
        ]
        if not asked:
            return
        for row in await self._connection.fetch(SQL["early"], rows.as_json(asked), NO_SEGMENT):
            self._found[_key(row)].early.append(rows.entry(row))

    async def _read_refused(self) -> None:
        """Revisions that wait for their messages, and that a table refused."""
        asked = [
            (*one.key, event_id)
            for one in self._wanted.values()
            for event_id in self._dropped.intersection(one.targets)
        ]
        if not asked:
            return
        columns = rows.columns(asked, 3)
        for row in await self._connection.fetch(SQL["waiting"], *columns, NO_SEGMENT):
            self._found[_key(row)].early.append(rows.entry(row))

    async def _read_segments(self) -> None:
        asked = [row for one in self._wanted.values() for row in self._asked_segments(one)]
        found: dict[Any, Any] = {}
        for row in await self._connection.fetch(SQL["segments"], rows.as_json(asked)):
            place = (_key(row), row["segment_id"])
            # What meets two ranges is there twice, and what is named may meet another one.
            if place not in found or row["is_wanted_whole"]:
                found[place] = row
        near = [row for row in found.values() if row["is_wanted_whole"]]
        entries = await read_entries(self._connection, near)
        for row in found.values():
            self._add_segment(row, entries)

    def _asked_segments(self, wanted: Wanted) -> list[dict[str, Any]]:
        """One row for each range: between an old message and a live one nothing is touched."""
        known = self._found[wanted.key].known
        spans: list[Span | tuple[None, None]] = [*_apart(self._ranges(wanted))]
        first, *others = spans or [(None, None)]
        named = _asked(
            wanted,
            event_ids=[message.event_id for message in self._new[wanted.key]],
            segment_ids=[known[one] for one in wanted.targets if one in known],
            earliest=first[0],
            latest=first[1],
        )
        return [named, *(_asked(wanted, earliest=start, latest=end) for start, end in others)]

    async def _read_tails(self) -> None:
        """Of conversations that are in memory it has the last segment."""
        strangers = [one.key for one in self._wanted.values() if one.is_stranger]
        for row in await self._fetch("tails", strangers):
            known = self._found[_key(row)].segments
            if str(row["segment_id"]) not in {one.record.segment_id for one in known}:
                self._add_segment(row, {})

    def _add_segment(self, row: Any, entries: dict[str, tuple[Entry, ...]]) -> None:
        record = rows.segment(row, is_open=False)
        stored = StoredSegment(record, entries.get(record.segment_id))
        self._found[record.key].segments.append(stored)

    async def _read_cuts(self) -> None:
        """From the earliest on that is touched: of what is open memory has them already."""
        asked = [
            (*one.key, min(moments))
            for one in self._wanted.values()
            if (moments := self._beginnings(one))
        ]
        for row in await self._fetch("cuts_from", asked, 3):
            self._found[_key(row)].cuts.append((row["event_time"], str(row["event_id"])))

    async def _read_sessions(self) -> None:
        asked = [(*one.key, name) for one in self._wanted.values() for name in one.session_ids]
        for row in await self._fetch("sessions", asked, 3):
            self._found[_key(row)].sessions.append(rows.session(row))

    def _ranges(self, wanted: Wanted) -> list[Span]:
        new = [(message.earliest, message.latest) for message in self._new[wanted.key]]
        return new + list(wanted.ranges)

    def _beginnings(self, wanted: Wanted) -> list[datetime]:
        segments = self._found[wanted.key].segments
        ranges = self._ranges(wanted)
        return [*(one.record.first[0] for one in segments), *(start for start, _ in ranges)]

    async def _fetch(self, query: str, asked: Iterable[Sequence[Any]], width: int = 2) -> list[Any]:
        columns = rows.columns(asked, width)
        if not columns[0]:
            return []
        found: list[Any] = await self._connection.fetch(SQL[query], *columns)
        return found


def _apart(ranges: Iterable[Span]) -> list[Span]:
    """The ranges that lie apart, with what they hold; no more than MOST_RANGES.

    Where there are more, those that lie closest to each other become one.
    """
    merged: list[Span] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    pauses = [later[0] - earlier[1] for earlier, later in pairwise(merged)]
    longest = nlargest(MOST_RANGES - 1, range(len(pauses)), key=pauses.__getitem__)
    places = [0, *(number + 1 for number in sorted(longest)), len(merged)]
    return [(merged[here][0], merged[there - 1][1]) for here, there in pairwise(places) if merged]


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


def _asked(wanted: Wanted, **more: Any) -> dict[str, Any]:
    tenant_id, conversation_id = wanted.key
    return {"tenant_id": tenant_id, "conversation_id": conversation_id, **more}


def _ids(wanted: Wanted) -> list[str]:
    messages = (message.event_id for message in wanted.messages)
    return list(dict.fromkeys((*messages, *wanted.other_ids, *wanted.targets)))


def _key(row: Any) -> ConversationKey:
    return (row["tenant_id"], row["conversation_id"])
