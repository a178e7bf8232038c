"""A conversation in memory: its segments in order, the cuts between them, its sessions."""

from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass, field
from operator import attrgetter

from services.sealer.core.records import ConversationKey, Entry, Key
from services.sealer.core.sessions import Session
from services.sealer.core.window import Window

_FIRST = attrgetter("first")


@dataclass(slots=True, eq=False)
class Conversation:
    """What memory holds of a conversation; `is_whole` when the tables hold nothing besides.

    `where` knows ids: of members and revisions with their segment, of all others with None.
    `windows` are disjoint and sorted; the last one is always among them.
    """

    key: ConversationKey
    is_whole: bool = True
    windows: list[Window] = field(default_factory=list)
    by_id: dict[str, Window] = field(default_factory=dict)
    cuts: list[Key] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    where: dict[str, Window | None] = field(default_factory=dict)
    # The ids in `where` without a segment: trimmed with the rest.
    strays: list[str] = field(default_factory=list)
    # Revisions of messages that have not come yet, by message.
    early: dict[str, list[Entry]] = field(default_factory=dict)
    # Ids of segments that are no more, with the last revision: one that revives goes on from it.
    retired: dict[str, int] = field(default_factory=dict)
    # What the windows' `retracts` hold together: whose retraction is not decided yet.
    retracting: dict[str, int] = field(default_factory=dict)
    open_live_sessions: int = 0
    open_imported_sessions: int = 0

    def window_of(self, event_id: str) -> Window | None:
        """The segment that an id belongs to now, through all merges."""
        window = self.where.get(event_id)
        if window is None or window.absorbed_by is None:
            return window
        while window.absorbed_by is not None:
            window = window.absorbed_by
        self.where[event_id] = window
        return window

    def know_stray(self, event_id: str) -> None:
        """Remember an id that belongs to no window in memory."""
        if event_id not in self.where:
            self.where[event_id] = None
            self.strays.append(event_id)

    def drop_early(self, event_id: str, offset: int) -> Entry | None:
        """Forget a revision that waits for its message, if it came at this offset."""
        for waiting in self.early.values():
            for entry in waiting:
                if entry.event_id == event_id and entry.offset == offset:
                    waiting.remove(entry)
                    del self.where[event_id]
                    return entry
        return None

    def know(self, window: Window) -> None:
        """Remember which ids belong to a window that was recalled."""
        for event_id in (*(window.members or ()), *window.revisions):
            self.where[event_id] = window

    def forget_entries(self, window: Window) -> None:
        """Keep of a window no more than its outline."""
        for event_id in (*(window.members or ()), *window.revisions):
            self.where.pop(event_id, None)
        window.members, window.revisions, window.versions = None, {}, {}

    def index_at(self, key: Key) -> int:
        """The place of the last window that begins at or before `key`; -1 for none."""
        # Nearly always it is the last one of all.
        if self.windows and self.windows[-1].first <= key:
            return len(self.windows) - 1
        return bisect_right(self.windows, key, key=_FIRST) - 1

    def index_of(self, window: Window) -> int:
        """The place of one of the windows."""
        return bisect_left(self.windows, window.first, key=_FIRST)

    def is_in_use(self, segment_id: str) -> bool:
        """Whether a segment has this id, or a retraction of it is not decided yet."""
        return segment_id in self.by_id or segment_id in self.retracting

    def insert(self, window: Window) -> None:
        """Put a window among the others."""
        window.limit = self.next_cut(window.last)
        self.windows.insert(bisect_left(self.windows, window.first, key=_FIRST), window)
        self.by_id[window.segment_id] = window
        self.retracting.update(window.retracts)

    def remove(self, index: int) -> Window:
        """Take a window out."""
        window = self.windows.pop(index)
        del self.by_id[window.segment_id]
        return window

    # --- sessions -----------------------------------------------------------------------------

    def count_session(self, session: Session, change: int) -> None:
        """One more (+1) or one less (-1) is open, or as many as before (0)."""
        if session.is_imported:
            self.open_imported_sessions += change
        else:
            self.open_live_sessions += change

    def has_others_open(self, ended: Session) -> bool:
        """Whether a session of the same kind is open beside one that has just ended."""
        return bool(self.open_imported_sessions if ended.is_imported else self.open_live_sessions)

    # --- cuts ---------------------------------------------------------------------------------

    def next_cut(self, key: Key) -> Key | None:
        """The first cut at or after `key`."""
        if not self.cuts:
            return None
        index = bisect_left(self.cuts, key)
        return self.cuts[index] if index < len(self.cuts) else None

    def is_cut_between(self, left: Key, right: Key) -> bool:
        """Whether a cut parts what lies at `left` from what lies at `right`."""
        cut = self.next_cut(left)
        return cut is not None and cut < right

    def is_bounded(self, window: Window) -> bool:
        """Whether a cut ends the window, before the next one and within its reach."""
        if window.limit is None or window.limit[0] > window.reach:
            return False
        index = self.index_of(window) + 1
        return index == len(self.windows) or window.limit < self.windows[index].first

    def place_cut(self, place: Key) -> None:
        """Part what lies at or before `place` from what comes after it."""
        if self.next_cut(place) != place:
            insort(self.cuts, place)
        self._limit_left_of(place)

    def lift_cut(self, place: Key) -> None:
        """Join what was parted."""
        self.cuts.remove(place)
        self._limit_left_of(place)

    def _limit_left_of(self, place: Key) -> None:
        index = self.index_at(place)
        if index >= 0:
            window = self.windows[index]
            window.limit = self.next_cut(window.last)
