"""What a rebalance releases while a handler prepares a batch is a lost fence, and ends nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey, FenceLost
from parley.log.consumer import Batch, Batching, FencedConsumer
from parley.log.consumer.claims import Claim
from parley.settings import Settings

AT = datetime(2026, 1, 1, tzinfo=UTC)
PARTITION = TopicPartition("events", 0)
FENCE = Fence(FenceKey("released", "events", 0), "i", 1, 3, None)
BATCH = Batch(FENCE, [LogRecord("events", 0, 3, AT, b"", b"")])


class Remembering:
    """A handler that keeps something for its partition, and needs it in the midst of a batch."""

    def __init__(self) -> None:
        self.kept = {0: "memory"}
        self.may_go_on = asyncio.Event()

    async def prepare(self, batch: Batch) -> str:
        await self.may_go_on.wait()
        return self.kept[batch.fence.key.partition]

    def released(self, partition: int) -> None:
        self.kept.pop(partition, None)


class Unmoved:
    """A database in which the fence stands where this worker believes it."""

    async def fetchrow(self, *_: object) -> dict[str, int]:
        return {"owner_epoch": FENCE.owner_epoch, "next_offset": FENCE.next_offset}


@asynccontextmanager
async def consumer(handler: Remembering) -> AsyncIterator[tuple[FencedConsumer, Claim]]:
    nothing = cast(Any, None)
    made = FencedConsumer(
        *("released", "events", cast(Any, handler), Settings(), cast(Any, Unmoved()), nothing),
        Batching(10, timedelta(0)),
        "owner",
    )
    claim = Claim(FENCE, nothing, asyncio.create_task(asyncio.sleep(60)), expects_tail=False)
    made._claims._owned[0] = claim
    try:
        yield made, claim
    finally:
        claim.relaying.cancel()
        await made._kafka.stop()


async def test_a_batch_that_loses_its_partition_while_it_is_prepared_has_lost_the_fence() -> None:
    handler = Remembering()
    async with consumer(handler) as (made, claim):
        working = asyncio.create_task(made._commit_batch(PARTITION, claim, BATCH))
        await asyncio.sleep(0)
        await made._claims.release_all()
        handler.may_go_on.set()
        with pytest.raises(FenceLost):
            await working


async def test_a_partition_that_was_claimed_anew_meanwhile_is_none_of_the_former_batch() -> None:
    handler = Remembering()
    async with consumer(handler) as (made, former):
        working = asyncio.create_task(made._commit_batch(PARTITION, former, BATCH))
        await asyncio.sleep(0)
        await made._claims.release_all()
        made._claims._owned[0] = Claim(FENCE, cast(Any, None), former.relaying, expects_tail=False)
        handler.may_go_on.set()
        with pytest.raises(FenceLost):
            await working


async def test_what_a_handler_lacks_of_a_partition_that_is_its_own_is_a_mistake() -> None:
    handler = Remembering()
    async with consumer(handler) as (made, claim):
        handler.released(0)
        handler.may_go_on.set()
        with pytest.raises(KeyError):
            await made._commit_batch(PARTITION, claim, BATCH)
