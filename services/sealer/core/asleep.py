"""Conversations that the tables hold and memory does not: their owner wakes each when it must.

So a worker that takes over a million open windows reads on at once, and one that reads an import
has room for it. One that sleeps is taken in before anything is observed that may touch it: an event
of it, or the time of its next deadline.
"""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from services.sealer.core.records import ConversationKey, Outline
from services.sealer.core.sessions import SETTLES_AFTER
from services.sealer.core.state import BEGINNING


@dataclass(slots=True)
class Asleep:
    """When each sleeping conversation is due; what an import holds is due at once."""

    _due: list[tuple[datetime, ConversationKey]] = field(default_factory=list)
    # Open windows of each, none for one that has only sessions.
    _windows: Counter[ConversationKey] = field(default_factory=Counter)
    window_count: int = 0

    @classmethod
    def of(cls, outline: Outline) -> "Asleep":
        """All that was open, asleep."""
        due = [(deadline or BEGINNING, key) for key, deadline in outline.windows]
        windows = Counter(key for key, _ in outline.windows)
        for key, last_arrival in outline.sessions:
            due.append((last_arrival + SETTLES_AFTER, key))
            windows.setdefault(key, 0)
        heapq.heapify(due)
        return cls(due, windows, len(outline.windows))

    def add(self, due: datetime, key: ConversationKey) -> None:
        """One that has open sessions only falls asleep."""
        heapq.heappush(self._due, (due, key))
        self._windows[key] = 0

    def next_deadline(self) -> datetime | None:
        """The earliest deadline of one that sleeps."""
        while self._due and self._due[0][1] not in self._windows:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def take(self, keys: Iterable[ConversationKey], until: datetime) -> list[ConversationKey]:
        """Those of `keys` that sleep, and all that are due by then: asleep no more."""
        if not self._windows:
            return []
        taken = {key for key in keys if key in self._windows}
        while self._due and self._due[0][0] <= until:
            _, key = heapq.heappop(self._due)
            if key in self._windows:
                taken.add(key)
        for key in taken:
            self.window_count -= self._windows.pop(key)
        return sorted(taken)
