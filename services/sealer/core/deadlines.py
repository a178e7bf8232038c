"""The order in which things fall due: windows, sessions that nobody ended, imports gone quiet.

Ties (the text leaves them open): by tenant, conversation, kind and id. An import's hold lapses
first, since it belongs to no conversation; a window closes before a session of its conversation
settles, for a segment that is over is not cut any more.
"""

import heapq
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Protocol


class Kind(IntEnum):
    """What falls due; the order of the values breaks ties."""

    IMPORT = 0
    WINDOW = 1
    SESSION = 2


QueueKey = tuple[str, str, Kind, str]


class Scheduled(Protocol):
    """Something with a deadline that moves; `queued` belongs to the queue."""

    queued: datetime | None

    def queue_key(self) -> QueueKey:
        """Its place among others of the same deadline."""

    def deadline(self) -> datetime | None:
        """When it falls due as things stand; None for never."""


_Item = tuple[datetime, str, str, Kind, str, int, Scheduled]


@dataclass(slots=True)
class DeadlineQueue:
    """A heap of deadlines; one that only grew is pushed again when its old one comes up.

    So a message that keeps its window open costs no heap operation.
    """

    _heap: list[_Item] = field(default_factory=list)
    _pushed: int = 0

    def schedule(self, item: Scheduled) -> None:
        """Note an item whose deadline may be new or earlier; needless where it only grew."""
        due = item.deadline()
        if due is None:
            item.queued = None
        elif item.queued is None or due < item.queued:
            self._push(item, due)

    def pop_due(self, watermark: datetime) -> tuple[datetime, Scheduled] | None:
        """The next item whose deadline the watermark has reached, with it; None when none has."""
        due = self.next_deadline()
        if due is None or due > watermark:
            return None
        item = heapq.heappop(self._heap)[-1]
        item.queued = None
        return due, item

    def next_deadline(self) -> datetime | None:
        """The earliest deadline."""
        while self._heap:
            queued, item = self._heap[0][0], self._heap[0][-1]
            due = item.deadline() if item.queued == queued else None
            if due == queued:
                return queued
            heapq.heappop(self._heap)
            if item.queued == queued:
                item.queued = None
                self.schedule(item)
        return None

    def may_be_due(self, watermark: datetime) -> bool:
        """Whether `pop_due` could find something: cheap, asked for every record."""
        return bool(self._heap) and self._heap[0][0] <= watermark

    def _push(self, item: Scheduled, due: datetime) -> None:
        item.queued = due
        self._pushed += 1
        # The count keeps two entries of one item from being compared further.
        heapq.heappush(self._heap, (due, *item.queue_key(), self._pushed, item))
