"""Gathers the next batches while others are being worked on, at most one of each partition."""

import asyncio
from collections.abc import Set
from typing import Any, Final

from aiokafka import TopicPartition

from parley import clock
from parley.codec import LogRecord
from parley.log.consumer.handler import Batching

IDLE_POLL_S: Final = 0.25
# A batch that ends while records are awaited frees its partition, of which that wait hears nothing.
BUSY_POLL_S: Final = 0.005

Gathered = dict[TopicPartition, list[LogRecord]]


class Batches:
    """Which batches are under way, and what is fetched for the next ones."""

    def __init__(self, kafka: Any, batching: Batching) -> None:
        self._kafka = kafka
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
        """Fetch for the other partitions until one has its share, or `linger` has passed since
        the first record. Empty where nothing came for a while.
        """
        gathered: Gathered = {}
        closes_at: float | None = None
        while not stop.is_set():
            rooms = self._rooms(gathered)
            wait_s = IDLE_POLL_S if closes_at is None else closes_at - clock.monotonic()
            if wait_s <= 0 or not all(rooms.values()):
                break
            if self._working and not rooms:
                working = self._working.values()
                await asyncio.wait(working, timeout=wait_s, return_when=asyncio.FIRST_COMPLETED)
                break
            for tp, records in (await self._fetch(rooms, wait_s)).items():
                gathered.setdefault(tp, []).extend(records)
            if not gathered:
                break
            closes_at = closes_at or clock.monotonic() + self._batching.linger.total_seconds()
        return gathered

    def _rooms(self, gathered: Gathered) -> dict[TopicPartition, int]:
        """How many records more may be fetched of each partition; 0 where its batch is full.

        Half of `max_records` a batch, so that one is parsed while another is written; and none
        where no whole one would fit beside those under way: small ones would cost as much.
        """
        half = self._batching.max_records // 2
        if self._in_work > half:
            return {}
        room = self._batching.max_records - self._in_work - sum(map(len, gathered.values()))
        share = self._batching.max_records - half
        free = self._kafka.assignment() - self._working.keys()
        return {tp: max(0, min(room, share - len(gathered.get(tp, ())))) for tp in free}

    async def _fetch(self, rooms: dict[TopicPartition, int], wait_s: float) -> Gathered:
        timeout_ms = int(min(wait_s, BUSY_POLL_S if self._working else wait_s) * 1000)
        fetched: Gathered = await self._kafka.getmany(
            *rooms, timeout_ms=timeout_ms, max_records=min(rooms.values(), default=None)
        )
        return fetched
