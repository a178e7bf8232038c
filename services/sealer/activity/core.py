"""Counts what was said lately in one partition of the log, in hopping windows.

A window hops every sixtieth of its length (1, 5 and 15 seconds) and is counted in panes of that
length, so a message costs one pane a window, and not sixty windows. The newest pane is under way:
a window reaches back between 59 and 60 panes from now.

Time is the append time of the records. It is the broker's clock alone, so no client's clock moves
a figure, nothing is late, and reading the same records again gives the same figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from parley.activity.figures import WINDOWS, Counts, Group, GroupFigures
from parley.events import Event, MessageRecorded, Role

LONGEST: Final = WINDOWS[-1]
PANES: Final = 60
_LENGTHS_S: Final = tuple(window.total_seconds() / PANES for window in WINDOWS)


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one partition may keep: groups in all, channels of a tenant, and conversations."""

    groups: int
    channels: int
    conversations: int


@dataclass(slots=True)
class _Talk:
    """What is kept of a group."""

    # By window, then by pane.
    panes: tuple[dict[int, Counts], ...] = field(default_factory=lambda: tuple({} for _ in WINDOWS))
    # When each conversation last had a message, the one that was quiet longest first.
    last_seen: dict[str, float] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.last_seen and not any(self.panes)


class PartitionCounter:
    """The windows of one partition."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._talks: dict[Group, _Talk] = {}
        self._channels: dict[str, int] = {}
        self._conversations = 0
        self._newest_s = 0.0
        self._capped_at_s = float("-inf")

    def observe(self, event: Event, append_time: datetime) -> bool:
        """Count a record; whether it was something to count: a live message, within the limits.

        What is imported was said long ago.
        """
        appended_s = append_time.timestamp()
        self._newest_s = max(self._newest_s, appended_s)
        if not isinstance(event.body, MessageRecorded) or event.import_id is not None:
            return False
        talk = self._talk(Group(event.tenant_id, event.channel))
        if talk is None:
            self._capped_at_s = appended_s
            return False
        counts = _counts(event.body)
        for panes, length_s in zip(talk.panes, _LENGTHS_S, strict=True):
            pane = int(appended_s // length_s)
            panes[pane] = panes.get(pane, Counts()) + counts
        self._see(talk, event.conversation_id, appended_s)
        return True

    def figures(self, now: datetime) -> Mapping[Group, GroupFigures]:
        """What lies within each window that ends now, or at the newest record if that is later.

        Everything older is forgotten.
        """
        now_s = max(now.timestamp(), self._newest_s)
        found = {}
        for group, talk in list(self._talks.items()):
            self._expire(talk, now_s)
            if talk.is_empty:
                self._forget(group)
            else:
                found[group] = _figures(talk, now_s)
        return found

    def is_capped(self, now: datetime) -> bool:
        """Whether a limit was reached within the longest window."""
        now_s = max(now.timestamp(), self._newest_s)
        return self._capped_at_s >= now_s - LONGEST.total_seconds()

    def _talk(self, group: Group) -> _Talk | None:
        """The group's; None where that would be one too many."""
        known = self._talks.get(group)
        if known is not None:
            return known
        channels = self._channels.get(group.tenant_id, 0)
        if len(self._talks) >= self._limits.groups or channels >= self._limits.channels:
            return None
        self._channels[group.tenant_id] = channels + 1
        return self._talks.setdefault(group, _Talk())

    def _see(self, talk: _Talk, conversation_id: str, appended_s: float) -> None:
        before = talk.last_seen.pop(conversation_id, None)
        if before is None:
            if self._conversations >= self._limits.conversations:
                self._capped_at_s = appended_s
                return
            self._conversations += 1
        talk.last_seen[conversation_id] = max(appended_s, before or appended_s)

    def _expire(self, talk: _Talk, now_s: float) -> None:
        for panes, length_s in zip(talk.panes, _LENGTHS_S, strict=True):
            first = _first_pane(now_s, length_s)
            for pane in [one for one in panes if one < first]:
                del panes[pane]
        start_s = _start_s(now_s, _LENGTHS_S[-1])
        for conversation_id in [one for one, seen in talk.last_seen.items() if seen < start_s]:
            del talk.last_seen[conversation_id]
            self._conversations -= 1

    def _forget(self, group: Group) -> None:
        del self._talks[group]
        self._channels[group.tenant_id] -= 1
        if not self._channels[group.tenant_id]:
            del self._channels[group.tenant_id]


def _counts(message: MessageRecorded) -> Counts:
    words = len(message.content.text.split())
    return Counts(
        messages=1,
        user_words=words if message.role is Role.USER else 0,
        assistant_words=words if message.role is Role.ASSISTANT else 0,
        audio_messages=1 if message.content.audio_url else 0,
    )


def _figures(talk: _Talk, now_s: float) -> GroupFigures:
    return {
        window: sum(panes.values(), Counts(conversations=_active(talk, now_s, length_s)))
        for window, panes, length_s in zip(WINDOWS, talk.panes, _LENGTHS_S, strict=True)
    }


def _active(talk: _Talk, now_s: float, length_s: float) -> int:
    start_s = _start_s(now_s, length_s)
    return sum(seen >= start_s for seen in talk.last_seen.values())


def _first_pane(now_s: float, length_s: float) -> int:
    return int(now_s // length_s) - PANES + 1


def _start_s(now_s: float, length_s: float) -> float:
    return _first_pane(now_s, length_s) * length_s
