"""Decides when a session whose client has gone is over."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.gateway.core.events import Source

# A session's id counts within its conversation: a client could name any.
_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Departure:
    """The last connection of a session went away, in this generation, at this moment."""

    source: Source
    generation: int
    departed_at: datetime


@dataclass(slots=True)
class _Present:
    source: Source
    generation: int
    refreshed_s: float
    connection_ids: set[str] = field(default_factory=set)


class SessionBook:
    """Which sessions have a connection here, and which wait for their client to come back.

    Times `…_s` are seconds on a clock that never goes back. Another replica's sessions are not
    in it: an end that comes from here loses in the log to the generation that resumed there.
    """

    def __init__(self, grace: timedelta, max_waiting: int) -> None:
        self._grace_s = grace.total_seconds()
        self._max_waiting = max_waiting
        self._present: dict[_Key, _Present] = {}
        # With the second at which each is over; in that order, since all wait equally long.
        self._waiting: dict[_Key, tuple[float, Departure]] = {}

    @property
    def present_count(self) -> int:
        """Sessions with a connection."""
        return len(self._present)

    def next_generation(self, source: Source, last_known: int) -> int:
        """The generation of a client that comes back: above what it and this gateway know."""
        key = _key(source)
        present = self._present.get(key)
        waiting = self._waiting.get(key)
        here = present.generation if present else 0
        gone = waiting[1].generation if waiting else 0
        return max(here, gone, last_known) + 1

    def connect(self, source: Source, generation: int, now_s: float) -> None:
        """A client is here: whatever waited is off."""
        present = self._present.setdefault(_key(source), _Present(source, generation, now_s))
        present.generation = max(present.generation, generation)
        present.connection_ids.add(source.connection_id)
        self._waiting.pop(_key(source), None)

    def end(self, source: Source, generation: int) -> None:
        """The client ended the session in this generation; a later one goes on."""
        if self.next_generation(source, 0) > generation + 1:
            return
        self._present.pop(_key(source), None)
        self._waiting.pop(_key(source), None)

    def depart(self, source: Source, departed_at: datetime, now_s: float) -> list[Departure]:
        """A connection went away; returns what is over at once, for want of room to wait."""
        present = self._present.get(_key(source))
        # Ended already, over this connection or another.
        if present is None:
            return []
        present.connection_ids.discard(source.connection_id)
        if present.connection_ids:
            return []
        del self._present[_key(source)]
        departure = Departure(source, present.generation, departed_at)
        self._waiting[_key(source)] = (now_s + self._grace_s, departure)
        return self._take_surplus()

    def take_due(self, now_s: float) -> list[Departure]:
        """Sessions that waited long enough; they are over now."""
        due = []
        while (due_s := self.next_due_s()) is not None and due_s <= now_s:
            due.append(self._take_first())
        return due

    def take_stale(self, now_s: float, every: timedelta) -> list[tuple[Source, int]]:
        """Sessions that are still open and were not said to be for so long, with generations."""
        stale_s = now_s - every.total_seconds()
        stale = [one for one in self._present.values() if one.refreshed_s <= stale_s]
        for one in stale:
            one.refreshed_s = now_s
        return [(one.source, one.generation) for one in stale]

    def next_due_s(self) -> float | None:
        """When to ask again; None while nothing waits."""
        first = next(iter(self._waiting.values()), None)
        return None if first is None else first[0]

    def _take_surplus(self) -> list[Departure]:
        return [self._take_first() for _ in range(len(self._waiting) - self._max_waiting)]

    def _take_first(self) -> Departure:
        return self._waiting.pop(next(iter(self._waiting)))[1]


def _key(source: Source) -> _Key:
    return source.tenant_id, source.conversation_id, source.session_id
