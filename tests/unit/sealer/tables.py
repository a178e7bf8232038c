"""The sealer's tables as dicts: saves changes, answers wants, restores open state."""

from dataclasses import dataclass, field
from datetime import datetime

from services.sealer.core import (
    NO_SEGMENT,
    Changes,
    ConversationKey,
    Entry,
    History,
    Key,
    Outline,
    PartitionRecord,
    Rejected,
    SegmentRecord,
    SessionRecord,
    Snapshot,
    StoredSegment,
    Wanted,
    Wants,
)

SegmentKey = tuple[ConversationKey, str]


@dataclass
class Tables:
    """What PostgreSQL holds of one partition."""

    partition: PartitionRecord = field(default_factory=lambda: PartitionRecord(None, 1, ()))
    windows: dict[SegmentKey, SegmentRecord] = field(default_factory=dict)
    segments: dict[SegmentKey, SegmentRecord] = field(default_factory=dict)
    entries: dict[SegmentKey, dict[str, Entry]] = field(default_factory=dict)
    cuts: set[tuple[ConversationKey, Key]] = field(default_factory=set)
    sessions: dict[tuple[ConversationKey, str], SessionRecord] = field(default_factory=dict)

    def save(self, changes: Changes) -> None:
        """One transaction."""
        self.partition = changes.partition
        for record in changes.open:
            self.windows[(record.key, record.segment_id)] = record
        for absorbed in changes.absorbed:
            self.windows.pop(absorbed, None)
        for record in changes.closed:
            self.windows.pop((record.key, record.segment_id), None)
            self.segments[(record.key, record.segment_id)] = record
        for rewritten in changes.rewritten:
            self.entries.pop(rewritten, None)
        for key, event_id in changes.dropped:
            for (owner, _), by_id in self.entries.items():
                if owner == key:
                    by_id.pop(event_id, None)
        for key, segment_id, entries in changes.entries:
            stored = self.entries.setdefault((key, segment_id), {})
            stored.update({entry.event_id: entry for entry in entries})
        self.cuts -= set(changes.cuts_lifted)
        self.cuts |= set(changes.cuts_placed)
        for session in changes.sessions:
            self.sessions[(session.key, session.session_id)] = session

    # --- histories ----------------------------------------------------------------------------

    def histories(self, wants: Wants) -> list[History]:
        """What is wanted, conversation by conversation."""
        dropped = frozenset(one.event_id for one in wants.rejected)
        found = [self._history(wish.wanted(), dropped) for wish in wants.conversations]
        found.extend(one for rejected in wants.rejected for one in self._rejected(rejected))
        return found

    def _history(
        self, wanted: Wanted, dropped: frozenset[str] = frozenset(), refused: str = ""
    ) -> History:
        entries = [
            (segment_id, entry)
            for (key, segment_id), by_id in self.entries.items()
            if key == wanted.key
            for entry in by_id.values()
        ]
        asked = {one.event_id for one in wanted.messages} | {*wanted.other_ids, *wanted.targets}
        known = tuple(entry.event_id for _, entry in entries if entry.event_id in asked)
        unknown = dropped.union(asked.difference(known))
        messages = [one for one in wanted.messages if one.event_id in unknown]
        early = tuple(
            entry
            for segment_id, entry in entries
            if segment_id == NO_SEGMENT and entry.target
            if entry.target in {one.event_id for one in messages} or entry.event_id == refused
        )
        ranges = [(one.earliest, one.latest) for one in messages] + [*wanted.ranges]
        whole = {sid for sid, entry in entries if entry.event_id in wanted.targets}
        openers = {one.event_id for one in messages}
        sessions = [self.sessions.get((wanted.key, one)) for one in wanted.session_ids]
        segments = self._segments(wanted, ranges, whole, openers)
        return History(
            key=wanted.key,
            is_whole=not entries and not self._is_stored(wanted.key),
            segments=segments,
            cuts=self._cuts(wanted.key, segments, ranges),
            sessions=tuple(one for one in sessions if one is not None),
            known_ids=known,
            early=early,
        )

    def _is_stored(self, key: ConversationKey) -> bool:
        return any(one == key for one, _ in [*self.segments, *self.sessions])

    def _segments(
        self,
        wanted: Wanted,
        ranges: list[tuple[datetime, datetime]],
        whole: set[str],
        openers: set[str],
    ) -> tuple[StoredSegment, ...]:
        key, found = wanted.key, []
        current = self._current(key)
        tail = max(current, key=lambda one: one.first, default=None)
        for record in self.segments.values():
            if record.key != key or (key, record.segment_id) in self.windows:
                continue
            is_near = record in current and _meets(record, ranges)
            if is_near or record.segment_id in whole:
                found.append(self._stored(record))
            elif (record is tail and wanted.is_stranger) or record.opening_event_id in openers:
                found.append(StoredSegment(record, None))
        return tuple(found)

    def _current(self, key: ConversationKey) -> list[SegmentRecord]:
        return [
            one
            for segment, one in self.segments.items()
            if one.key == key and one.current_revision and segment not in self.windows
        ]

    def _stored(self, record: SegmentRecord) -> StoredSegment:
        entries = self.entries.get((record.key, record.segment_id), {})
        return StoredSegment(record, tuple(sorted(entries.values())))

    def _cuts(
        self,
        key: ConversationKey,
        segments: tuple[StoredSegment, ...],
        ranges: list[tuple[datetime, datetime]],
    ) -> tuple[Key, ...]:
        begin = [one.record.first[0] for one in segments] + [earliest for earliest, _ in ranges]
        if not begin:
            return ()
        return tuple(cut for k, cut in sorted(self.cuts) if k == key and cut[0] >= min(begin))

    def holders(self, refused: list[Rejected]) -> list[ConversationKey]:
        """The conversations that hold records which a table refused."""
        return [history.key for one in refused for history in self._rejected(one)]

    def _rejected(self, rejected: Rejected) -> list[History]:
        return [
            self._history(
                Wanted(key, is_stranger=True, targets=(rejected.event_id,)),
                refused=rejected.event_id,
            )
            for (key, _), by_id in self.entries.items()
            if rejected.event_id in by_id and by_id[rejected.event_id].offset == rejected.offset
        ]

    # --- restore ------------------------------------------------------------------------------

    def outline(self) -> Outline:
        """When what is open falls due."""
        opened = [one for _, one in sorted(self.sessions.items()) if one.is_open]
        return Outline(
            self.partition,
            tuple((record.key, record.deadline) for record in self.windows.values()),
            tuple((one.key, one.last_arrival) for one in opened),
        )

    def remembered(self, keys: list[ConversationKey]) -> Snapshot:
        """Of the snapshot, these conversations."""
        whole = self.snapshot()
        return Snapshot(
            whole.partition,
            tuple(one for one in whole.segments if one.record.key in keys),
            tuple(one for one in whole.cuts if one[0] in keys),
            tuple(one for one in whole.sessions if one.key in keys),
        )

    def snapshot(self) -> Snapshot:
        """All that a new owner of the partition may want."""
        sessions = [one for _, one in sorted(self.sessions.items()) if one.is_open]
        keys = {record.key for record in self.windows.values()} | {one.key for one in sessions}
        segments = [self._stored(record) for record in self.windows.values()]
        segments += [StoredSegment(one, None) for key in keys for one in self._tail(key)]
        segments.sort(key=lambda one: (one.record.key, one.record.first))
        firsts: dict[ConversationKey, Key] = {}
        for stored in segments:
            firsts.setdefault(stored.record.key, stored.record.first)
        cuts = (cut for cut in sorted(self.cuts) if cut[0] in firsts and cut[1] >= firsts[cut[0]])
        return Snapshot(self.partition, tuple(segments), tuple(cuts), tuple(sessions))

    def _tail(self, key: ConversationKey) -> list[SegmentRecord]:
        tail = max(self._current(key), key=lambda one: one.first, default=None)
        opened = [record.first for record in self.windows.values() if record.key == key]
        return (
            [tail] if tail is not None and tail.first > max(opened, default=tail.first[:0]) else []
        )


def _meets(record: SegmentRecord, ranges: list[tuple[datetime, datetime]]) -> bool:
    return any(
        record.first[0] <= latest and record.reach >= earliest for earliest, latest in ranges
    )
