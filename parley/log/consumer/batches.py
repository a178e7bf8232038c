"""Gathers the next batches while others are being worked on, at most one of each partition."""

import asyncio
from collections.abc import Set
from typing import Final

from aiokafka import TopicPartition

from parley import clock
from parley.codec import LogRecord
from parley.log.consumer.handler import Batching
from parley.log.consumer.read_ahead import ReadAhead

IDLE_POLL_S: Final = 0.25
# A batch that ends while records are awaited frees its partition, of which that wait hears nothing.
BUSY_POLL_S: Final = 0.005

Gathered = dict[TopicPartition, list[LogRecord]]


class Batches:
    """Which batches are under way, and what is gathered for the next ones."""

    def __init__(self, ahead: ReadAhead, batching: Batching) -> None:
        self._ahead = ahead
        self._batching = batching
        self._working: dict[TopicPartition, asyncio.Task[None]] = {}
        self._in_work = 0

    def busy_partitions(self) -> Set[int]:
        """The partitions that a batch is under way of."""
        return {tp.partition for tp in self._working}

    def begin(self, tp: TopicPartition, record_count: int, task: asyncio.Task[None]) -> None:
        """A batch is under way until its task is done."""
        self._working[tp] = task
        self._in_work += record_count

        def end(_: asyncio.Task[None]) -> None:
            del self._working[tp]
            self._in_work -= record_count

        task.add_done_callback(end)

    async def gather(self, stop: asyncio.Event) -> Gathered:
        """Take of the other partitions until one has its share, or `linger` has passed since
        the first record. Empty where nothing came for a while.
        """
        gathered: Gathered = {}
        closes_at: float | None = None
        while not stop.is_set():
            is_full = self._take(gathered)
            if gathered and closes_at is None:
                closes_at = clock.monotonic() + self._batching.linger.total_seconds()
            wait_s = IDLE_POLL_S if closes_at is None else closes_at - clock.monotonic()
            if is_full or wait_s <= 0:
                break
            if not await self._more(wait_s) and not gathered:
                break
        return gathered

    def _take(self, gathered: Gathered) -> bool:
        """Take what there is room for; whether a batch is full.

        Half of `max_records` a batch, so that one is parsed while another is written; and none
        where no whole one would fit beside those under way: small ones would cost as much.
        """
        share = self._batching.share
        if self._in_work + share > self._batching.max_records:
            return False
        room = self._batching.max_records - self._in_work - sum(map(len, gathered.values()))
        for tp in self._ahead.turns():
            most = min(room, share - len(gathered.get(tp, ())))
            if tp not in self._working and most > 0:
                taken = self._ahead.take(tp, most)
                gathered.setdefault(tp, []).extend(taken)
                room -= len(taken)
                if len(gathered[tp]) == share:
                    return True
        return room == 0

    async def _more(self, wait_s: float) -> bool:
        """Wait for records, or for a batch to end; whether records came."""
        if not self._working:
            return await self._ahead.fetch(wait_s)
        if not self._ahead.is_full:
            return await self._ahead.fetch(min(wait_s, BUSY_POLL_S))
        working = self._working.values()
        await asyncio.wait(working, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
        return False
