"""Where a producer sends many records, and what it sends again after a rejected sequence."""

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import OutOfOrderSequenceNumber, ProducerClosed

from parley.codec import MAX_RECORD_BYTES, Outgoing
from parley.log.producer import Appended, Producer, RecordTooLarge
from parley.settings import Settings
from parley.topics import partition_of

PARTITIONS = 3
ROOM = 2


class Builder(list[bytes]):
    """A batch with room for two records."""

    def append(self, *, value: bytes, **_: Any) -> object | None:  # type: ignore[override]
        if len(self) == ROOM:
            return None
        super().append(value)
        return self

    def close(self) -> None:
        """Nothing more fits anyway."""


class Broker:
    """What all inner producers write to; it rejects the batches whose turn is in `wedges`."""

    def __init__(self, wedges: set[int]) -> None:
        self.log: list[bytes] = []
        # When it appends; -1 where it keeps the producer's time.
        self.time_ms = 1_000
        self.turn = 0
        self._wedges = wedges
        self.by_partition: dict[int | None, list[bytes]] = defaultdict(list)

    async def partitions_for(self, topic: str) -> set[int]:
        return set(range(PARTITIONS))

    async def send(self, topic: str, *, value: bytes, partition: int | None, **_: Any) -> Any:
        answer = asyncio.get_running_loop().create_future()
        answer.set_result(None)
        self.by_partition[partition].append(value)
        return answer

    def create_batch(self) -> Builder:
        return Builder()

    async def send_batch(self, batch: Builder, topic: str, partition: int) -> Any:
        answer = asyncio.get_running_loop().create_future()
        self.turn += 1
        if self.turn in self._wedges:
            answer.set_exception(OutOfOrderSequenceNumber())
            return answer
        answer.set_result(SimpleNamespace(offset=len(self.log), timestamp=self.time_ms))
        self.log += batch
        self.by_partition[partition] += batch
        return answer

    async def stop(self) -> None:
        """There is nothing to flush."""


class ProducerOfBroker(Producer):
    """A producer whose inner ones are all of the same broker."""

    def __init__(self, broker: Broker) -> None:
        super().__init__(Settings())
        self._broker = broker

    async def _connect(self) -> Any:
        return self._broker


async def send(broker: Broker, count: int) -> list[int]:
    producer = ProducerOfBroker(broker)
    await producer.start()
    batch = [Outgoing("t", b"k", b"%d" % number, ()) for number in range(count)]
    return await producer.send_batch(0, batch)


async def test_what_is_durable_is_not_sent_again() -> None:
    broker = Broker(wedges={2})
    assert await send(broker, 5) == [0, 1, 2, 3, 4]
    assert broker.log == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize(("by_the_broker", "known"), [(1_000, 1_000), (-1, None)])
async def test_it_is_told_what_was_appended_together_and_when(
    by_the_broker: int, known: int | None
) -> None:
    broker = Broker(wedges={2})
    broker.time_ms = by_the_broker
    producer = ProducerOfBroker(broker)
    await producer.start()
    batch = [Outgoing("t", b"k", b"%d" % number, ()) for number in range(5)]
    appended = await producer.append_batch(0, batch)
    assert appended == [Appended(0, 2, known), Appended(2, 2, known), Appended(4, 1, known)]


async def test_a_batch_with_a_record_that_the_broker_would_refuse_is_not_begun() -> None:
    broker = Broker(wedges=set())
    producer = ProducerOfBroker(broker)
    await producer.start()
    batch = [Outgoing("t", b"k", b"0", ()), Outgoing("t", b"k", bytes(MAX_RECORD_BYTES), ())]
    with pytest.raises(RecordTooLarge):
        await producer.send_batch(0, batch)
    assert broker.log == []


async def test_a_producer_that_is_wedged_again_at_once_says_so() -> None:
    broker = Broker(wedges={2, 3})
    with pytest.raises(OutOfOrderSequenceNumber):
        await send(broker, 5)
    assert broker.log == [b"0", b"1"]


class FullBuffer(Broker):
    """An inner producer in whose full buffer everybody waits, until it is stopped."""

    def __init__(self, wedges: set[int]) -> None:
        super().__init__(wedges)
        self.stopped = asyncio.Event()

    async def send(self, topic: str, *, value: bytes, partition: int | None, **_: Any) -> Any:
        await self.stopped.wait()
        raise ProducerClosed

    async def stop(self) -> None:
        self.stopped.set()


class ProducerOfTwo(Producer):
    """A producer whose second inner one is of a broker that takes everything."""

    def __init__(self, first: Broker, second: Broker) -> None:
        super().__init__(Settings())
        self._inners = [first, second]

    async def _connect(self) -> Any:
        return self._inners.pop(0)


async def test_who_waits_for_room_while_the_producer_is_replaced_gets_it_in_the_new_one() -> None:
    full, new = FullBuffer(wedges={1}), Broker(set())
    producer = ProducerOfTwo(full, new)
    await producer.start()
    record = Outgoing("t", b"k", b"waits", (), partition=0)
    waiting = asyncio.create_task(producer.send(record))
    await asyncio.sleep(0)
    await producer.send_batch(1, [Outgoing("t", b"k", b"wedges", ())])
    await waiting
    assert new.by_partition == {0: [b"waits"], 1: [b"wedges"]}


async def test_who_waits_for_room_when_the_producer_is_stopped_is_told() -> None:
    producer = ProducerOfTwo(FullBuffer(set()), Broker(set()))
    await producer.start()
    waiting = asyncio.create_task(producer.send(Outgoing("t", b"k", b"waits", ())))
    await asyncio.sleep(0)
    await producer.stop()
    with pytest.raises(ProducerClosed):
        await waiting


class Slow(Broker):
    """Wedged, and long in flushing what it still has."""

    def __init__(self, may_stop: asyncio.Event) -> None:
        super().__init__({1})
        self._may_stop = may_stop
        self.is_stopped = False

    async def stop(self) -> None:
        await self._may_stop.wait()
        self.is_stopped = True


async def test_nobody_waits_for_a_wedged_producer_to_stop_nor_keeps_it_from_that() -> None:
    may_stop = asyncio.Event()
    wedged, other = Slow(may_stop), Broker(set())
    producer = ProducerOfTwo(wedged, other)
    await producer.start()
    async with asyncio.timeout(1):
        await producer.send_batch(0, [Outgoing("t", b"k", b"x", ())])
    assert other.log == [b"x"]
    stopping = asyncio.create_task(producer.stop())
    await asyncio.sleep(0)
    may_stop.set()
    await stopping
    assert wedged.is_stopped


async def test_many_records_go_in_their_order_to_the_partitions_of_their_keys() -> None:
    broker = Broker(wedges=set())
    producer = ProducerOfBroker(broker)
    await producer.start()
    keys = [b"k%d" % (number % 4) for number in range(20)]
    batch = [Outgoing("t", key, b"%d" % number, ()) for number, key in enumerate(keys)]
    batch += [Outgoing("t", None, b"anywhere", ()), Outgoing("t", b"k0", b"named", (), 2)]
    await producer.send_by_key(batch)
    expected: dict[int | None, list[bytes]] = {None: [b"anywhere"]}
    for one, key in zip(batch, keys, strict=False):
        expected.setdefault(partition_of(key, PARTITIONS), []).append(one.value)
    expected[2].append(b"named")
    assert broker.by_partition == expected
