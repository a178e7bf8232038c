"""Which batches are gathered while others are under way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.codec.record import EPOCH
from parley.log.consumer import Batching
from parley.log.consumer.batches import Batches, Gathered
from parley.log.consumer.read_ahead import ReadAhead

A, B, C = (TopicPartition("events", partition) for partition in range(3))
LINGER = timedelta(milliseconds=30)
RECORD = LogRecord("events", 0, 0, EPOCH, None, None)


class Kafka:
    """A consumer whose partitions hold so many records; it gives at most 7 of each at a time."""

    def __init__(self, **counts: int) -> None:
        self.left = dict(zip((A, B, C), counts.values(), strict=False))

    def assignment(self) -> set[TopicPartition]:
        return set(self.left)

    async def getmany(self, *partitions: TopicPartition, timeout_ms: int) -> Gathered:
        found: Gathered = {}
        for tp in sorted(partitions):
            count = min(self.left[tp], 7)
            if count:
                self.left[tp] -= count
                found[tp] = [RECORD] * count
        await asyncio.sleep(0 if found else timeout_ms / 1000)
        return found


def batches_of(kafka: Kafka, batching: Batching) -> Batches:
    return Batches(ReadAhead(kafka, batching.share), batching)


async def gathered(batches: Batches) -> dict[TopicPartition, int]:
    records = await batches.gather(asyncio.Event())
    return {tp: len(one) for tp, one in records.items()}


@asynccontextmanager
async def under_way(batches: Batches, tp: TopicPartition, count: int) -> AsyncIterator[None]:
    end = asyncio.Event()

    async def work() -> None:
        await end.wait()

    task = asyncio.create_task(work())
    batches.begin(tp, count, task)
    yield
    end.set()
    await task
    await asyncio.sleep(0)


async def test_a_batch_is_full_with_half_of_the_most_records() -> None:
    batches = batches_of(Kafka(a=100), Batching(20, LINGER))
    assert await gathered(batches) == {A: 10}


async def test_a_partition_with_a_batch_under_way_gives_nothing_until_it_has_ended() -> None:
    batches = batches_of(Kafka(a=100, b=100), Batching(20, LINGER))
    async with under_way(batches, A, 10):
        assert await gathered(batches) == {B: 10}
        assert batches.busy_partitions() == {0}
    assert batches.busy_partitions() == set()
    assert A in await gathered(batches)


async def test_no_batch_begins_where_a_whole_one_would_not_fit() -> None:
    batches = batches_of(Kafka(a=100, b=100, c=100), Batching(20, LINGER))
    async with under_way(batches, A, 10), under_way(batches, B, 9):
        assert await gathered(batches) == {}


async def test_a_batch_that_ends_wakes_who_waits_for_room() -> None:
    batches = batches_of(Kafka(a=100, b=100), Batching(20, timedelta(seconds=60)))
    async with under_way(batches, A, 20):
        waiting = asyncio.create_task(gathered(batches))
        await asyncio.sleep(0.01)
        assert not waiting.done()
    assert await asyncio.wait_for(waiting, 0.1) == {}


async def test_few_records_wait_for_more_until_the_linger_has_passed() -> None:
    batches = batches_of(Kafka(a=3), Batching(20, LINGER))
    began = asyncio.get_running_loop().time()
    assert await gathered(batches) == {A: 3}
    assert asyncio.get_running_loop().time() - began >= LINGER.total_seconds() * 0.9


@pytest.mark.parametrize("most", [1, 2, 5, 20])
async def test_never_more_than_the_most_are_gathered(most: int) -> None:
    batches = batches_of(Kafka(a=100, b=100, c=100), Batching(most, LINGER))
    assert 1 <= sum((await gathered(batches)).values()) <= most
