"""Holds what was heard until it is read: in order, each durable frame once, and not too much."""

import asyncio
from collections import deque
from typing import Final

from parley.client.frames import Durable, Gap, Heard

CAPACITY: Final = 1_000
# A gateway repeats what a client sent again; twice the gateway's own memory for such copies.
REMEMBERED: Final = 2_000


class Inbox:
    """The frames that wait for a reader; past 1,000 the oldest make room, and a Gap says so."""

    def __init__(self, capacity: int = CAPACITY, remembered: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._remembered = remembered
        self._frames: deque[Heard] = deque()
        self._seen: dict[str, None] = {}
        self._has_gap = False
        self._changed = asyncio.Event()
        self._is_closed = False
        self._failure: BaseException | None = None

    def put(self, frame: Heard) -> None:
        """Keep it for the reader, unless it is a durable frame that was here before."""
        if isinstance(frame, Durable) and self._is_repeat(frame):
            return
        if len(self._frames) >= self._capacity:
            self._frames.popleft()
            self._has_gap = True
        self._frames.append(frame)
        self._changed.set()

    def close(self, failure: BaseException | None = None) -> None:
        """Nothing more comes; whoever reads to the end gets `failure` raised, if there is one."""
        self._is_closed, self._failure = True, failure
        self._changed.set()

    async def get(self) -> Heard:
        """The next frame; raises StopAsyncIteration, or the failure, after the last one."""
        while not self._frames:
            if self._failure is not None:
                raise self._failure
            if self._is_closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        if self._has_gap:
            self._has_gap = False
            return Gap("slow_reader")
        return self._frames.popleft()

    def _is_repeat(self, frame: Durable) -> bool:
        if frame.event_id in self._seen:
            return True
        self._seen[frame.event_id] = None
        if len(self._seen) > self._remembered:
            del self._seen[next(iter(self._seen))]
        return False
