"""Reads the analyses topic back: a job whose end is there is never run again.

So neither a database that was restored from an older backup nor an empty one calls a model for
what it has already said.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from parley.analyses import JobEnded
from parley.codec import InvalidRecord, decode_analysis
from parley.db.errors import is_transient
from parley.db.fence import Fence
from parley.db.pool import Connection, Pool
from parley.lifecycle import Task
from parley.log.consumer import Batch
from services.analyzer import store

log = structlog.get_logger(__name__)

CONSUMER: Final = f"{store.CONSUMER}-ends"
POLL_S: Final = 0.2


class EndsHandler:
    """Ends the jobs that have ended, and keeps the ends of those that there are not yet."""

    async def claimed(self, claim: Fence) -> None:
        """Nothing is kept in memory for a partition."""

    def released(self, partition: int) -> None:
        """Nothing is kept in memory for a partition."""

    async def prepare(self, batch: Batch) -> Sequence[JobEnded]:
        """What the records say; the persister keeps those that say nothing."""
        ends: dict[object, JobEnded] = {}
        for record in batch.records:
            try:
                ended = decode_analysis(record.value)
            except InvalidRecord:
                continue
            ends[store.key_of_end(ended)] = ended
        return list(ends.values())

    async def apply(self, connection: Connection, work: Sequence[JobEnded]) -> None:
        """Write them, under the fence of the analyses topic."""
        await store.apply_ends(connection, work)

    async def committed(self, work: Sequence[JobEnded]) -> None:
        """Nobody waits for an end."""


class Gate:
    """Keeps the workers waiting until all ends that the topic held at the start are applied."""

    def __init__(self, pool: Pool, topic: str, ends: Mapping[int, int]) -> None:
        self._pool = pool
        self._topic = topic
        self._ends = ends
        self._opened = asyncio.Event()

    @property
    def is_open(self) -> bool:
        """Whether jobs may be claimed."""
        return self._opened.is_set()

    async def run(self, stop: asyncio.Event) -> None:
        """Open once the fences have passed the ends, then wait for `stop`."""
        while not stop.is_set() and not self.is_open:
            try:
                if await self._have_passed():
                    self._opened.set()
                    break
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("gate_waits", error=type(error).__name__)
            await asyncio.sleep(POLL_S)
        await stop.wait()

    def behind(self, task: Task) -> Task:
        """The same task, begun when the gate is open."""

        async def wait_and_run(stop: asyncio.Event) -> None:
            waits = [asyncio.create_task(one.wait()) for one in (self._opened, stop)]
            try:
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for one in waits:
                    one.cancel()
            if not stop.is_set():
                await task(stop)

        return wait_and_run

    async def _have_passed(self) -> bool:
        passed = await store.passed_ends(self._pool, CONSUMER, self._topic)
        return all(passed.get(number, 0) >= end for number, end in self._ends.items())
