"""A segment in memory: its members, how far it reaches, when it closes.

Decided here, where the rule leaves it open:
- A reach ends at the next cut: nothing past it can join, so nothing past it is waited for. After
  a cut a segment closes R after its last arrival, late members included.
- Imported members are not waited for after their arrival: their import's progress says when the
  stretch is over. What an import let go of closes at once where no live talk keeps it open.
- Channel, like R and the caps, is the earliest member's; senders and users are all members'.
- A dropped member (RecordRejected) takes its id, time and offset along, not what it lent to the
  reach, the policy, the channel and the participants. A segment is never split by it.
- A segment whose last member was dropped goes on as one without messages, under its former
  bounds, and is sealed as such.
"""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from parley.events import Policy, Said
from parley.seals import SealCause
from services.sealer.core.deadlines import Kind, QueueKey
from services.sealer.core.records import (
    ConversationKey,
    EndRecord,
    Entry,
    Key,
)

# As its constructor does, which looks for defaults first: there is one for every message.
_entry: Final = partial(tuple.__new__, Entry)


class HistoryMissing(Exception):
    """A closed segment changes whose members were not recalled: the caller's mistake."""


@dataclass(frozen=True, slots=True)
class Decided:
    """Where in the log something is decided."""

    incarnation: str
    partition: int
    offset: int
    watermark: datetime


@dataclass(slots=True, eq=False)
class Window:
    """A segment, open or closed; `members` is None where only the outline was recalled.

    `limit` is the nearest cut at or after its last member. `revision` is the highest number that
    its id was ever given, `current_revision` the published one, 0 for none.
    """

    key: ConversationKey
    segment_id: str
    opening_event_id: str
    rule_version: int
    first: Key
    last: Key
    reach: datetime
    policy: Policy
    channel: str
    first_offset: int
    last_offset: int
    revision: int = 0
    current_revision: int = 0
    is_open: bool = True
    message_count: int = 0
    limit: Key | None = None
    last_arrival: datetime | None = None
    released_at: datetime | None = None
    is_imported: bool = False
    end: EndRecord | None = None
    cut: Key | None = None
    absorbed_by: "Window | None" = None
    queued: datetime | None = None
    members: dict[str, Entry] | None = field(default_factory=dict)
    revisions: dict[str, Entry] = field(default_factory=dict)
    versions: dict[str, Key] = field(default_factory=dict)
    participants: set[str] = field(default_factory=set)
    user_ids: set[str] = field(default_factory=set)
    session_ids: set[str] = field(default_factory=set)
    held_by: set[str] = field(default_factory=set)
    retracts: dict[str, int] = field(default_factory=dict)
    unsaved: list[Entry] = field(default_factory=list)

    # --- when it closes -----------------------------------------------------------------------

    def queue_key(self) -> QueueKey:
        """Its place among others of the same deadline."""
        return (*self.key, Kind.WINDOW, self.segment_id)

    def deadline(self) -> datetime | None:
        """The watermark at which it closes; None while an import holds it."""
        if not self.is_open or self.held_by:
            return None
        due = self.end.closes_at if self.end is not None else self._quiet_at()
        released_at = self.released_at
        return due if released_at is None or released_at < due else released_at

    def effective_reach(self) -> datetime:
        """Until when a message may join at its end."""
        return self.reach if self.limit is None else min(self.reach, self.limit[0])

    def _quiet_at(self) -> datetime:
        quiet_from = self.effective_reach()
        if self.last_arrival is not None and self.last_arrival > quiet_from:
            quiet_from = self.last_arrival
        return quiet_from + self.policy.grace

    # --- what belongs to it -------------------------------------------------------------------

    def loaded(self) -> dict[str, Entry]:
        """The members by id; raises HistoryMissing where only the outline is known."""
        if self.members is None:
            raise HistoryMissing(f"segment {self.segment_id} was recalled in outline only")
        return self.members

    def add(self, said: Said, offset: int) -> None:
        """Take a message in."""
        key = (said.event_time, said.event_id)
        if not self.loaded():
            self.first = self.last = key
        if key <= self.first:
            self.first, self.policy, self.channel = key, said.policy, said.channel
        elif key > self.last:
            self.last = key
        self._take(said, offset)

    def extend(self, said: Said, offset: int) -> None:
        """Take a message in that comes after all members; `is_extended_by` says so."""
        self.last = (said.event_time, said.event_id)
        self._take(said, offset)

    def is_extended_by(self, said: Said) -> bool:
        """Whether a message only makes an open segment longer: a live one, after all members,
        within the gap and below the caps, and no cut, an end's or another, ends the segment.
        """
        time = said.event_time
        return (
            self.last[0] < time <= self.reach
            and self.is_open
            and self.limit is None
            and said.import_id is None
            # Of one that has lost all members the next one is the first.
            and 0 < self.message_count < self.policy.max_messages - 1
            and time - self.first[0] < self.policy.max_duration
        )

    def _take(self, said: Said, offset: int) -> None:
        event_id, time, _, _, session_id, user_id, sender, _, policy, _ = said
        self.reach = max(self.reach, time + policy.idle_gap)
        self.loaded()[event_id] = entry = _entry((event_id, time, offset, ""))
        self.unsaved.append(entry)
        self.message_count += 1
        self.last_offset = offset
        if sender:
            self.participants.add(sender)
        if user_id:
            self.user_ids.add(user_id)
        if session_id:
            self.session_ids.add(session_id)

    def revise(self, entry: Entry) -> bool:
        """Note a revision of a member; whether it is the one that counts now."""
        self.loaded()
        self.revisions[entry.event_id] = entry
        self.unsaved.append(entry)
        return self._compete(entry)

    def _compete(self, entry: Entry) -> bool:
        rank = (entry.event_time, entry.event_id)
        winner = self.versions.get(entry.target)
        if winner is not None and winner > rank:
            return False
        self.versions[entry.target] = rank
        return True

    def absorb(self, later: "Window") -> None:
        """Take all of the next segment in; what it had published will be retracted."""
        mine, theirs = self.loaded(), later.loaded()
        self.unsaved.extend(theirs.values())
        self.unsaved.extend(later.revisions.values())
        # The smaller into the larger: a long segment that is bridged often moves once.
        small, large = (mine, theirs) if len(mine) < len(theirs) else (theirs, mine)
        large.update(small)
        self.members, later.members = large, {}
        self.revisions.update(later.revisions)
        self.versions.update(later.versions)
        self.last = max(self.last, later.last)
        self.message_count += later.message_count
        self.first_offset = min(self.first_offset, later.first_offset)
        self.last_offset = max(self.last_offset, later.last_offset)
        self.reach = max(self.reach, later.reach)
        self._inherit(later)

    def _inherit(self, later: "Window") -> None:
        self.participants |= later.participants
        self.user_ids |= later.user_ids
        self.session_ids |= later.session_ids
        self.is_imported |= later.is_imported
        self.limit, self.end, self.cut = later.limit, later.end, later.cut
        self.last_arrival = _latest(self.last_arrival, later.last_arrival)
        self.released_at = _latest(self.released_at, later.released_at)
        self.retracts.update(later.retracts)
        later.retracts = {}

    def drop(self, event_id: str) -> list[Entry]:
        """Forget a member or a revision; returns the revisions that lost their message."""
        members = self.loaded()
        orphans: list[Entry] = []
        if members.pop(event_id, None) is not None:
            self.message_count -= 1
            orphans = [one for one in self.revisions.values() if one.target == event_id]
            self._measure()
        for one in [event_id, *(orphan.event_id for orphan in orphans)]:
            self.revisions.pop(one, None)
        self.versions.clear()
        for entry in self.revisions.values():
            self._compete(entry)
        self.unsaved = [*members.values(), *self.revisions.values()]
        return orphans

    def _measure(self) -> None:
        keys = [(entry.event_time, entry.event_id) for entry in self.loaded().values()]
        offsets = [entry.offset for entry in self.loaded().values()]
        if keys:
            self.first, self.last = min(keys), max(keys)
            self.first_offset, self.last_offset = min(offsets), max(offsets)

    def entries(self) -> tuple[Entry, ...] | None:
        """Members and revisions by id; None where only the outline is known."""
        if self.members is None:
            return None
        return tuple(sorted([*self.members.values(), *self.revisions.values()]))

    def fill(self, entries: tuple[Entry, ...] | None) -> None:
        """Give an outline its members."""
        if entries is None:
            return
        self.members = {one.event_id: one for one in entries if not one.target}
        self.revisions = {one.event_id: one for one in entries if one.target}
        for entry in self.revisions.values():
            self._compete(entry)

    # --- what is said of it -------------------------------------------------------------------

    def due_cause(self) -> SealCause:
        """Why it closes when its deadline is reached."""
        if self.end is not None:
            return SealCause.ENDED
        if self.current_revision or self.retracts:
            return SealCause.LATE
        return SealCause.IMPORT if self.is_imported else SealCause.IDLE

    def close(self) -> None:
        """It is sealed as its next revision."""
        self.revision += 1
        self.current_revision = self.revision
        self.is_open = self.is_imported = False
        self.end = self.cut = self.released_at = None
        self.retracts = {}


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return max(one, other)
