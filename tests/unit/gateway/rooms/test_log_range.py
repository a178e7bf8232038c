"""Many who wait for stretches of one partition are served by one reading of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError

from services.gateway.rooms.log_range import CHUNK, LONGEST, LogRanges, LogUnavailable

KEYS = [b"a", b"b", b"c"]


def record(offset: int) -> Any:
    return SimpleNamespace(
        topic="events",
        partition=0,
        offset=offset,
        timestamp=0,
        key=KEYS[offset % 3],
        value=b"v",
        headers=(),
    )


class FakeLog:
    """A log without an end, that counts how often it is read and by how many at once."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.scans: list[tuple[int, int]] = []
        self.failure = failure
        self.begun = asyncio.Event()
        self.open = 0
        self.most_open = 0

    async def scan(self, partition: int, first_offset: int) -> AsyncGenerator[Sequence[Any], None]:
        self.scans.append((partition, first_offset))
        self.begun.set()
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            while True:
                await asyncio.sleep(0)
                if self.failure is not None:
                    raise self.failure
                yield [record(one) for one in range(first_offset, first_offset + CHUNK)]
                first_offset += CHUNK
        finally:
            self.open -= 1


def offsets(records: Sequence[Any]) -> list[int]:
    return [one.offset for one in records]


async def test_a_stretch_is_the_conversations_records_within_its_bounds() -> None:
    ranges = LogRanges(FakeLog().scan)
    found = await ranges.read(0, 4, 1_000, b"b")
    assert offsets(found) == list(range(4, 1_000, 3))


async def test_who_waits_together_is_served_by_one_reading() -> None:
    log = FakeLog()
    ranges = LogRanges(log.scan)
    wishes = [(first, 900 + first, KEYS[first % 3]) for first in range(30, 230)]
    found = await asyncio.gather(*(ranges.read(7, *one) for one in wishes))
    assert log.scans == [(7, 30)]
    for (first, end, key), records in zip(wishes, found, strict=True):
        expected = [one for one in range(first, end) if KEYS[one % 3] == key]
        assert offsets(records) == expected


async def test_partitions_are_read_a_few_at_a_time() -> None:
    log = FakeLog()
    ranges = LogRanges(log.scan)
    await asyncio.gather(*(ranges.read(number, 0, 3_000, b"a") for number in range(16)))
    assert sorted(log.scans) == [(number, 0) for number in range(16)]
    assert log.most_open == 4


async def test_who_comes_while_a_reading_is_under_way_is_served_by_the_next() -> None:
    log = FakeLog()
    ranges = LogRanges(log.scan)
    first = asyncio.create_task(ranges.read(0, 0, 5_000, b"a"))
    await log.begun.wait()
    later = await asyncio.gather(ranges.read(0, 9, 12, b"a"), ranges.read(0, 12, 15, b"b"))
    assert [offsets(one) for one in later] == [[9], [13]]
    assert len(await first) == 1_667
    assert log.scans == [(0, 0), (0, 9)]


async def test_all_who_wait_are_told_when_kafka_is_away_and_the_next_are_served() -> None:
    log = FakeLog(KafkaConnectionError("away"))
    ranges = LogRanges(log.scan)
    reads = [ranges.read(0, 0, 10, key) for key in KEYS]
    found = await asyncio.gather(*reads, return_exceptions=True)
    assert [str(one) for one in found] == ["KafkaConnectionError"] * 3
    assert {type(one) for one in found} == {LogUnavailable}
    log.failure = None
    assert offsets(await ranges.read(0, 0, 10, b"a")) == [0, 3, 6, 9]
    assert log.open == 0


async def test_who_left_is_not_read_for() -> None:
    log = FakeLog()
    ranges = LogRanges(log.scan)
    left = asyncio.create_task(ranges.read(0, 0, 1_000_000 - LONGEST, b"a"))
    with pytest.raises(LogUnavailable, match="records lie between"):
        await left
    held = [asyncio.create_task(ranges.read(number, 0, 900, b"a")) for number in range(5)]
    await asyncio.sleep(0)
    held[4].cancel()
    await asyncio.gather(*held, return_exceptions=True)
    await asyncio.sleep(0)
    assert (4, 0) not in log.scans
