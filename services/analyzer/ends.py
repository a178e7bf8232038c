"""Reads the analyses topic back: what has ended is never run again, and no spend is forgotten.

So neither a database that was restored from an older backup nor an empty one calls a model for
what it has already said.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from parley.analyses import Analysis
from parley.codec import InvalidRecord
from parley.db.errors import is_transient
from parley.db.fence import Fence
from parley.db.pool import Connection, Pool
from parley.lifecycle import Task
from parley.log.consumer import Batch
from services.analyzer import store
from services.analyzer.decoding import decode

log = structlog.get_logger(__name__)

CONSUMER: Final = f"{store.CONSUMER}-ends"
POLL_S: Final = 0.2


class EndsHandler:
    """Brings jobs, charges and answers to where the topic has them."""

    async def claimed(self, claim: Fence) -> None:
        """Nothing is kept in memory for a partition."""

    def released(self, partition: int) -> None:
        """Nothing is kept in memory for a partition."""

    async def prepare(self, batch: Batch) -> Sequence[Analysis]:
        """What the records say; the persister keeps those that say nothing."""
        told: list[Analysis] = []
        for record in batch.records:
            try:
                told.append(decode(record.value))
            except InvalidRecord:
                continue
        return told

    async def apply(self, connection: Connection, work: Sequence[Analysis]) -> None:
        """Write it, under the fence of the analyses topic."""
        await store.apply_told(connection, work)

    async def committed(self, work: Sequence[Analysis]) -> None:
        """Nobody waits for it."""


class Gate:
    """Keeps the workers waiting until all that the topic held at the start is applied."""

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
