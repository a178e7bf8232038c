"""Lets so many jobs call at one time: live ones first, and some room for these alone."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from parley.analyses import Lane


class Turns:
    """At most `most` jobs at a time, of which at most `most_of_backfills` are a backfill's.

    Who waits is bounded by who claims jobs.
    """

    def __init__(self, most: int, most_of_backfills: int) -> None:
        self._most = {Lane.LIVE: most, Lane.BACKFILL: most_of_backfills}
        self._all = most
        self._taken: Counter[Lane] = Counter()
        self._waiting: dict[Lane, deque[asyncio.Future[None]]] = {lane: deque() for lane in Lane}

    @asynccontextmanager
    async def turn(self, lane: Lane) -> AsyncIterator[None]:
        """Wait for one's turn, and have it until the end."""
        await self._take(lane)
        try:
            yield
        finally:
            self._taken[lane] -= 1
            self._wake()

    async def _take(self, lane: Lane) -> None:
        if self._is_free(lane) and not self._waiting[lane]:
            self._taken[lane] += 1
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[lane].append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # It was given a turn in the same moment: that is the next one's.
                self._taken[lane] -= 1
                self._wake()
            raise

    def _is_free(self, lane: Lane) -> bool:
        return self._taken.total() < self._all and self._taken[lane] < self._most[lane]

    def _wake(self) -> None:
        for lane in (Lane.LIVE, Lane.BACKFILL):
            while self._waiting[lane] and self._is_free(lane):
                future = self._waiting[lane].popleft()
                if not future.done():
                    self._taken[lane] += 1
                    future.set_result(None)
