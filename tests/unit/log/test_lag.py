"""The lag in seconds is the age of the oldest record that waits, and 0 where none does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, cast

from aiokafka import TopicPartition
from prometheus_client import REGISTRY

from parley import clock
from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey
from parley.log.consumer import Batch, Batching, FencedConsumer
from parley.log.consumer.claims import Claim
from parley.settings import Settings

PARTITION = TopicPartition("events", 0)


class Deaf:
    """A relay that nobody listens to, and a handler that does nothing."""

    def ring(self) -> None:
        """Nobody hears it."""

    async def prepare(self, batch: Batch) -> Batch:
        return batch

    async def committed(self, work: Batch) -> None:
        """Nothing to do."""


class Held(FencedConsumer):
    """Writes no batch before it may; its topic ends where it is told."""

    end: int | None = None

    def begin(self, name: str, next_offset: int) -> Claim:
        self.may_write = asyncio.Event()
        fence = Fence(FenceKey(name, "events", 0), "i", 1, next_offset, None)
        claim = Claim(fence, cast(Any, Deaf()), cast(Any, None), expects_tail=False)
        self._claims._owned[0] = claim
        return claim

    async def _apply(self, claim: Claim, batch: Batch, work: Any) -> Fence:
        await self.may_write.wait()
        return Fence(batch.fence.key, "i", 1, batch.last_offset + 1, None)

    def _end(self, tp: TopicPartition) -> int | None:
        return self.end


@asynccontextmanager
async def consumer(name: str, next_offset: int) -> AsyncIterator[tuple[Held, Claim]]:
    nothing = cast(Any, None)
    batching = Batching(10, timedelta(0))
    made = Held(
        *(name, "events", cast(Any, Deaf()), Settings(), nothing, nothing, batching, "owner")
    )
    try:
        yield made, made.begin(name, next_offset)
    finally:
        await made._kafka.stop()


def lag(made: Held, name: str, unit: str) -> float | None:
    made._observe_lag()
    labels = {"consumer": name, "topic": "events", "partition": "0"}
    return REGISTRY.get_sample_value(f"parley_consumer_lag_{unit}", labels)


def record(offset: int, at: datetime) -> LogRecord:
    return LogRecord("events", 0, offset, at, b"", b"")


async def test_a_batch_that_is_not_written_waits_since_its_first_record() -> None:
    async with consumer("held", 3) as (made, claim):
        made.end = 5
        ago = [clock.now() - timedelta(seconds=seconds) for seconds in (40, 10)]
        batch = Batch(claim.fence, [record(3, ago[0]), record(4, ago[1])])
        writing = asyncio.create_task(made._commit_batch(PARTITION, claim, batch))
        await asyncio.sleep(0)
        assert lag(made, "held", "records") == 2
        assert 40 <= (lag(made, "held", "seconds") or 0) < 45
        made.may_write.set()
        await writing
        assert lag(made, "held", "records") == 0
        assert lag(made, "held", "seconds") == 0


async def test_with_more_to_read_it_waits_since_the_last_record_that_was_written() -> None:
    async with consumer("behind", 3) as (made, claim):
        made.end = 9
        made.may_write.set()
        at = clock.now() - timedelta(seconds=10)
        await made._commit_batch(PARTITION, claim, Batch(claim.fence, [record(3, at)]))
        assert lag(made, "behind", "records") == 5
        assert 10 <= (lag(made, "behind", "seconds") or 0) < 15


async def test_a_record_after_a_long_silence_does_not_wait_since_the_one_before() -> None:
    async with consumer("silent", 3) as (made, claim):
        made.end = 4
        made.may_write.set()
        at = clock.now() - timedelta(hours=1)
        await made._commit_batch(PARTITION, claim, Batch(claim.fence, [record(3, at)]))
        made.end = 5
        assert lag(made, "silent", "records") == 1
        assert lag(made, "silent", "seconds") == 0


async def test_where_the_log_ends_is_not_known_before_it_is_read() -> None:
    async with consumer("early", 3) as (made, _):
        assert lag(made, "early", "records") is None
        assert lag(made, "early", "seconds") is None
