"""What was fetched waits here by turns, until somebody seeks or the partition goes elsewhere."""

import asyncio
from datetime import timedelta

from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.codec.record import EPOCH
from parley.log.consumer import Batching
from parley.log.consumer.batches import Batches
from parley.log.consumer.read_ahead import ReadAhead

A, B = (TopicPartition("events", partition) for partition in range(2))
ENOUGH = 4
PIECE = 3


class Kafka:
    """A log without end, of which at most PIECE records come at a time."""

    def __init__(self, *partitions: TopicPartition, value: bytes | None = None) -> None:
        self.positions = dict.fromkeys(partitions, 0)
        self._value = value

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        self.positions[tp] = offset

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int
    ) -> dict[TopicPartition, list[LogRecord]]:
        found = {}
        for tp in sorted(partitions):
            first = self.positions[tp]
            self.positions[tp] += PIECE
            found[tp] = [
                LogRecord(tp.topic, tp.partition, offset, EPOCH, None, self._value)
                for offset in range(first, first + PIECE)
            ]
        return found


def offsets(records: list[LogRecord]) -> list[int]:
    return [one.offset for one in records]


async def filled(*partitions: TopicPartition) -> tuple[Kafka, ReadAhead]:
    kafka = Kafka(*partitions)
    ahead = ReadAhead(kafka, ENOUGH)
    while not ahead.is_full:
        assert await ahead.fetch(0.0)
    return kafka, ahead


async def test_pieces_are_put_together_in_the_order_of_the_log() -> None:
    _, ahead = await filled(A)
    assert offsets(ahead.take(A, 5)) == [0, 1, 2, 3, 4]
    assert offsets(ahead.take(A, 5)) == [5]
    assert ahead.turns() == []


async def test_of_a_partition_that_enough_is_held_of_nothing_more_is_fetched() -> None:
    kafka, ahead = await filled(A, B)
    ahead.take(B, 5)
    await ahead.fetch(0.0)
    assert kafka.positions == {A: 2 * PIECE, B: 3 * PIECE}


async def test_of_long_records_fewer_are_held_and_as_many_of_each_partition() -> None:
    kafka = Kafka(A, B, value=bytes(100))
    ahead = ReadAhead(kafka, 1_000, most_bytes=1_000)
    while not ahead.is_full:
        assert await ahead.fetch(0.0)
    assert kafka.positions == {A: 2 * PIECE, B: 2 * PIECE}
    assert not await ahead.fetch(0.0)
    ahead.take(A, 2)
    assert await ahead.fetch(0.0)
    assert kafka.positions == {A: 3 * PIECE, B: 2 * PIECE}
    ahead.seek(A, 0)
    await ahead.fetch(0.0)
    assert offsets(ahead.take(A, 1)) == [0]


async def test_after_a_seek_nothing_comes_that_was_read_before_it() -> None:
    _, ahead = await filled(A, B)
    ahead.seek(A, 100)
    assert ahead.turns() == [B]
    await ahead.fetch(0.0)
    assert offsets(ahead.take(A, 5)) == [100, 101, 102]
    assert offsets(ahead.take(B, 2)) == [0, 1]


async def test_what_is_held_of_a_partition_that_went_elsewhere_is_forgotten() -> None:
    kafka, ahead = await filled(A, B)
    del kafka.positions[A]
    assert ahead.is_full
    assert ahead.turns() == [B]


async def test_partitions_that_are_all_behind_take_turns() -> None:
    kafka, _ = await filled(A, B)
    batches = Batches(ReadAhead(kafka, ENOUGH), Batching(1, timedelta(seconds=1)))
    given = [list(await batches.gather(asyncio.Event())) for _ in range(4)]
    assert given in ([[A], [B], [A], [B]], [[B], [A], [B], [A]])


async def test_of_partitions_that_are_all_behind_one_whole_batch_is_given_at_a_time() -> None:
    _, ahead = await filled(A, B)
    batches = Batches(ahead, Batching(2 * ENOUGH, timedelta(seconds=1)))
    given = [await batches.gather(asyncio.Event()) for _ in range(2)]
    assert [{tp: len(records) for tp, records in one.items()} for one in given] == [
        {A: ENOUGH},
        {B: ENOUGH},
    ]


async def test_what_is_fetched_meanwhile_is_there_when_a_batch_ends() -> None:
    kafka, _ = await filled(A)
    ahead = ReadAhead(kafka, ENOUGH)
    batches = Batches(ahead, Batching(ENOUGH, timedelta(seconds=1)))
    end = asyncio.Event()

    async def work() -> None:
        await end.wait()

    task = asyncio.create_task(work())
    batches.begin(A, ENOUGH, task)
    gathering = asyncio.create_task(batches.gather(asyncio.Event()))
    await asyncio.sleep(0)
    assert ahead.is_full
    end.set()
    await task
    assert await gathering == {}
    assert len((await batches.gather(asyncio.Event()))[A]) == ENOUGH // 2
