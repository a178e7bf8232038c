"""A load, what reads it, and the reckoning at the end: what was lost, what was doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from types import TracebackType
from typing import Any, Final

from parley import clock
from parley.codec import InvalidRecord, LogRecord, decode_event
from parley.db import pool as database
from parley.db.errors import is_transient
from parley.log.admin import topic_ends
from parley.settings import Settings
from parley.topics import Topic
from tests.faults.load import Load, Pace, load
from tests.faults.row import Findings
from tests.faults.stage import Stage
from tests.integration.persister.reading import ledger
from tests.support.processes import ServiceProcess
from tests.support.views import residue
from tests.support.wait import eventually

PATIENCE_S: Final = 120.0
# Batches that are small while the persister keeps up, so that most faults come in the middle of
# something, and large enough that it catches up on a slow machine too.
BATCH_RECORDS: Final = 1_000

FENCES = "SELECT partition, next_offset FROM fences WHERE topic = $1 AND consumer = 'persister'"
COUNTED = "SELECT sum(message_count)::bigint FROM conversation_sessions"
DEAD = "SELECT partition, log_offset, key, value, reason FROM dead_letters"


@dataclass(slots=True)
class Scene:
    """One go of a row."""

    settings: Settings
    pool: Any
    load: Load
    catch_ups_s: list[float] = field(default_factory=list)

    async def fences(self) -> dict[int, int]:
        """Where the persister stands by partition; raises what the database raises."""
        rows = await self.pool.fetch(FENCES, self.settings.topic(Topic.EVENTS))
        fences = {row["partition"]: row["next_offset"] for row in rows}
        self.load.read_count = sum(fences.values())
        return fences

    async def has_read(self, ends: dict[int, int]) -> bool:
        """Whether everything before these offsets is in the tables; no, while nobody can tell."""
        try:
            fences = await self.fences()
        except Exception as error:
            if not is_transient(error):
                raise
            return False
        return all(fences.get(partition, 0) >= end for partition, end in ends.items())

    async def sent(self, count: int) -> None:
        """Wait until so many more records were acknowledged."""
        wanted = self.load.record_count + count

        async def are_sent() -> bool:
            # The load waits for a persister that is far behind, and so must be told.
            await self.has_read({})
            return self.load.record_count >= wanted

        await eventually(are_sent, PATIENCE_S)

    async def read_on(self) -> None:
        """Wait until what is in the log now has been read."""
        ends = dict(self.load.ends)

        async def is_read() -> bool:
            return await self.has_read(ends)

        await eventually(is_read, PATIENCE_S, every=0.02)

    async def catch_up(self) -> float:
        """The same after a fault: the seconds that it takes count as the time to catch up."""
        began_at = clock.monotonic()
        await self.read_on()
        self.catch_ups_s.append(clock.monotonic() - began_at)
        return self.catch_ups_s[-1]

    async def settle(self, **more: Any) -> Findings:
        """End the load, wait until all is read and published, and reckon."""
        self.load.stop()
        await self._all_is_read()
        await eventually(self._all_is_published, PATIENCE_S)
        found = await ledger(self.pool, self.settings, Topic.EVENTS)
        acknowledged = self.load.acknowledged()
        letters = await self.pool.fetch(DEAD)
        rows = await self.pool.fetch("SELECT id::text FROM conversation_messages")
        stored = {row["id"] for row in rows}
        counted = await self.pool.fetchval(COUNTED)
        event_rows = await self.pool.fetchval("SELECT count(*) FROM conversation_events")
        doubled = abs(found.stored - event_rows) + abs((counted or 0) - len(stored))
        copies = self.load.record_count - self.load.bad_count - len(acknowledged)
        problems = []
        if found.duplicate != copies:
            problems.append(f"{found.duplicate} duplicates counted, {copies} sent")
        if len(letters) != self.load.bad_count:
            problems.append(f"{len(letters)} dead letters, {self.load.bad_count} bad records sent")
        if found.consumed != self.load.record_count:
            problems.append(f"{found.consumed} read, {self.load.record_count} acknowledged")
        return Findings(
            acknowledged=self.load.record_count,
            lost=len(acknowledged - stored - _ids_of(letters)),
            doubled=doubled,
            residue=int(await residue(self.pool)),
            longest_catch_up_s=max(self.catch_ups_s, default=None),
            problems=tuple(problems),
            more={"dead_letters": len(letters), "duplicates": found.duplicate, **more},
        )

    async def _all_is_read(self) -> None:
        ends: dict[int, int] = {}

        async def is_read() -> bool:
            topic = self.settings.topic(Topic.EVENTS)
            nonlocal ends
            ends = {one.partition: one.end for one in await topic_ends(self.settings, topic)}
            return sum(ends.values()) >= self.load.record_count and await self.has_read(ends)

        # The round under way ends first.
        await asyncio.sleep(0.2)
        await eventually(is_read, PATIENCE_S, every=0.2)

    async def _all_is_published(self) -> bool:
        waiting = await self.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
        return not waiting


def _ids_of(letters: list[Any]) -> set[str]:
    """The events among the dead letters: those that could be read."""
    found = set()
    for row in letters:
        record = LogRecord(
            "", row["partition"], row["log_offset"], clock.now(), row["key"], row["value"]
        )
        try:
            found.add(decode_event(record).event_id)
        except InvalidRecord:
            continue
    return found


@asynccontextmanager
async def scene(stage: Stage, seed: int, pace: Pace | None = None) -> AsyncIterator[Scene]:
    """New topics, new tables, and a load on them."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        try:
            async with load(settings, pace or Pace(), seed) as running:
                yield Scene(settings, pool, running)
        finally:
            pool.terminate()


def persister(settings: Settings, module: str = "persister", **extra: str) -> ServiceProcess:
    """A persister that reads these settings, in small batches."""
    return ServiceProcess(
        module, settings, PARLEY_PERSISTER_BATCH_RECORDS=str(BATCH_RECORDS), **extra
    )


@asynccontextmanager
async def started(*processes: ServiceProcess) -> AsyncIterator[None]:
    """Start them side by side while the load goes on; stop them at the end."""
    async with AsyncExitStack() as stack:
        for one in processes:
            # A failed row tells what they said last.
            stack.push_async_exit(partial(end, one))
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in processes))
        yield


async def end(
    process: ServiceProcess,
    error_type: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    """The end of the process's `with`, in a thread: what it is connected to may run here."""
    await asyncio.to_thread(process.__exit__, error_type, error, trace)
