"""Partitions are followed in order and without a gap, whatever becomes of their brokers."""

import asyncio
import struct
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import (
    CorruptRecordException,
    KafkaConnectionError,
    NotLeaderForPartitionError,
    OffsetOutOfRangeError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from parley.log import follower
from parley.log.follower import Follower
from tests.support.wait import eventually

FIRST, SECOND = TopicPartition("t", 0), TopicPartition("t", 1)
HEADERS = [("a", b"1"), ("b", None)]


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower, "RETRY_S", 0.001)


def batch(first_offset: int, values: Sequence[bytes]) -> bytes:
    builder = BatchBuilder(1_000_000, 0)
    for value in values:
        builder.append(timestamp=1_000, key=b"k", value=value, headers=HEADERS)
    # The broker writes the offset; its checksum leaves it out.
    return struct.pack(">q", first_offset) + bytes(builder._build())[8:]


class Cluster:
    """Brokers and what each leads; an answer waits until there is something to say."""

    def __init__(self, leaders: dict[TopicPartition, int]) -> None:
        self.leaders = leaders
        # As far as the client knows, until it asks.
        self.known = dict(leaders)
        self.data: dict[TopicPartition, bytes] = defaultdict(bytes)
        self.ends: dict[TopicPartition, int] = defaultdict(int)
        self.away: set[int] = set()
        self.errors: dict[TopicPartition, int] = {}
        self.requests: list[tuple[int, dict[TopicPartition, int]]] = []
        self.cluster = self
        # A former leader that has not heard of it answers as ever.
        self.both_lead = False
        self.is_closed = False

    def leader_for_partition(self, tp: TopicPartition) -> int | None:
        return self.known.get(tp)

    def force_metadata_update(self) -> None:
        self.known = dict(self.leaders)

    def write(self, tp: TopicPartition, *values: bytes) -> None:
        self.data[tp] += batch(self.ends[tp], values)
        self.ends[tp] += len(values)

    async def send(self, node: int, request: Any) -> Any:
        asked = {
            TopicPartition(topic, number): offset
            for topic, partitions in request.topics
            for number, offset, _ in partitions
        }
        self.requests.append((node, asked))
        if node in self.away:
            raise KafkaConnectionError("away")

        async def has_something() -> bool:
            return any(
                self._answer(node, tp, offset)[1:] != (0, b"") for tp, offset in asked.items()
            )

        await eventually(has_something, timeout=60, every=0.001)
        topics: defaultdict[str, list[Any]] = defaultdict(list)
        for tp, offset in asked.items():
            highwater = self.ends[tp]
            error, data = self._answer(node, tp, offset)[1:]
            topics[tp.topic].append((tp.partition, error, highwater, -1, 0, [], data))
        return SimpleNamespace(topics=list(topics.items()))

    def _answer(
        self, node: int, tp: TopicPartition, offset: int
    ) -> tuple[TopicPartition, int, bytes]:
        if self.leaders[tp] != node and not self.both_lead:
            return tp, NotLeaderForPartitionError.errno, b""
        if tp in self.errors:
            return tp, self.errors[tp], b""
        # Whole batches from the one that holds the offset.
        return tp, 0, self.data[tp] if offset < self.ends[tp] else b""

    async def close(self) -> None:
        self.is_closed = True


async def read(reader: Follower, count: int) -> list[tuple[int, int, bytes | None]]:
    """So many records, by partition and offset."""
    found: list[tuple[int, int, bytes | None]] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            for stretch in await reader.fetch(0.05):
                found += [(one.partition, one.offset, one.value) for one in stretch.records()]
    return found


async def test_records_come_whole_in_order_and_from_the_position_on() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"0", b"1", b"2")
    cluster.write(FIRST, b"3")
    reader = Follower(cluster, {FIRST: 1})
    [stretch] = await reader.fetch(5)
    records = list(stretch.records())
    assert [(one.offset, one.value) for one in records] == [(1, b"1"), (2, b"2"), (3, b"3")]
    assert (records[0].topic, records[0].partition, records[0].key) == ("t", 0, b"k")
    assert records[0].headers == (("a", b"1"), ("b", b""))
    assert reader.lag == 0
    await reader.stop()


async def test_the_next_call_goes_on_behind_the_last_one() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"0")
    reader = Follower(cluster, {FIRST: 0})
    assert await read(reader, 1) == [(0, 0, b"0")]
    cluster.data[FIRST] = b""
    cluster.write(FIRST, b"1", b"2")
    assert await read(reader, 2) == [(0, 1, b"1"), (0, 2, b"2")]
    await reader.stop()


async def test_a_broker_with_nothing_to_say_does_not_hold_up_another_and_is_asked_once() -> None:
    cluster = Cluster({FIRST: 1, SECOND: 2})
    reader = Follower(cluster, {FIRST: 0, SECOND: 0})
    for number in range(5):
        cluster.data[FIRST] = b""
        cluster.write(FIRST, b"x")
        assert await read(reader, 1) == [(0, number, b"x")]
    assert [node for node, _ in cluster.requests].count(2) == 1
    await reader.stop()


async def test_nothing_comes_and_patience_ends() -> None:
    reader = Follower(Cluster({FIRST: 1}), {FIRST: 0})
    assert await reader.fetch(0.01) == []
    await reader.stop()


async def test_a_broker_that_is_away_is_waited_for() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"0")
    cluster.away.add(1)
    reader = Follower(cluster, {FIRST: 0})
    for _ in range(3):
        assert await reader.fetch(0.02) == []
    cluster.away.clear()
    assert await read(reader, 1) == [(0, 0, b"0")]
    await reader.stop()


async def test_a_partition_is_followed_to_its_new_leader_and_read_once() -> None:
    cluster = Cluster({FIRST: 1, SECOND: 1})
    reader = Follower(cluster, {FIRST: 0, SECOND: 0})
    assert await reader.fetch(0.01) == []
    # The old leader still holds the question when the partition is somebody else's already.
    cluster.leaders[FIRST] = 2
    cluster.write(FIRST, b"0", b"1")
    cluster.write(SECOND, b"x")
    found = await read(reader, 3)
    assert sorted(found) == [(0, 0, b"0"), (0, 1, b"1"), (1, 0, b"x")]
    cluster.data.clear()
    cluster.write(FIRST, b"2")
    assert await read(reader, 1) == [(0, 2, b"2")]
    await reader.stop()


async def test_what_two_brokers_give_of_a_partition_counts_once() -> None:
    cluster = Cluster({FIRST: 1})
    reader = Follower(cluster, {FIRST: 0})
    assert await reader.fetch(0.01) == []
    # The client hears of the new leader, while the old one is about to answer.
    cluster.both_lead = True
    cluster.known[FIRST] = cluster.leaders[FIRST] = 2
    assert await reader.fetch(0.01) == []
    cluster.write(FIRST, b"0")
    found = await read(reader, 1)
    for _ in range(5):
        found += [
            (0, one.offset, one.value) for s in await reader.fetch(0.02) for one in s.records()
        ]
    assert found == [(0, 0, b"0")]
    await reader.stop()


async def test_a_partition_without_a_leader_is_waited_for() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"0")
    cluster.known[FIRST] = -1
    cluster.leaders = {FIRST: -1}
    reader = Follower(cluster, {FIRST: 0})
    assert await reader.fetch(0.01) == []
    cluster.leaders = {FIRST: 1}
    assert await read(reader, 1) == [(0, 0, b"0")]
    await reader.stop()


async def test_a_log_that_is_another_one_is_an_error() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.errors[FIRST] = OffsetOutOfRangeError.errno
    reader = Follower(cluster, {FIRST: 7})
    with pytest.raises(OffsetOutOfRangeError):
        await reader.fetch(5)
    await reader.stop()


async def test_a_batch_that_is_not_what_was_written_is_an_error() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"hello")
    cluster.data[FIRST] = cluster.data[FIRST].replace(b"hello", b"hallo")
    reader = Follower(cluster, {FIRST: 0})
    with pytest.raises(CorruptRecordException):
        await reader.fetch(5)
    await reader.stop()


async def test_what_lies_behind_an_answer_is_the_lag() -> None:
    cluster = Cluster({FIRST: 1})
    cluster.write(FIRST, b"0", b"1")
    cluster.ends[FIRST] = 5
    reader = Follower(cluster, {FIRST: 0})
    await reader.fetch(5)
    assert reader.lag == 3
    await reader.stop()


async def test_stopped_it_asks_no_more_and_disconnects() -> None:
    cluster = Cluster({FIRST: 1})
    reader = Follower(cluster, {FIRST: 0})
    assert await reader.fetch(0.01) == []
    await reader.stop()
    assert cluster.is_closed
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_what_the_reader_has_from_elsewhere_is_not_given_again() -> None:
    cluster = Cluster({FIRST: 1})
    reader = Follower(cluster, {FIRST: 0})
    # Asked for already: by the time of the answer some of it is known.
    assert await reader.fetch(0.01) == []
    reader.pass_over(FIRST, 2)
    cluster.write(FIRST, b"0", b"1", b"2")
    assert await read(reader, 1) == [(0, 2, b"2")]
    assert reader.lag == 0
    reader.pass_over(FIRST, 5)
    cluster.write(FIRST, b"3", b"4")
    cluster.write(FIRST, b"5")
    assert await read(reader, 1) == [(0, 5, b"5")]
    # Known long ago: the reader goes back for nobody.
    reader.pass_over(FIRST, 1)
    assert await reader.fetch(0.01) == []
    await reader.stop()
