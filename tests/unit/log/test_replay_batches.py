"""A replay's batch is made of several fetches, each of which begins where the one before ended."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.codec.record import EPOCH
from parley.log.replay.replay import BATCH_FETCHES, BATCH_RECORDS, Replay

EVENTS = TopicPartition("events", 0)
FETCHED = 30


class Log:
    """Gives so many records at a time, from where it was read or sought last.

    The first time it leaves out what is `missing`, as between two of a consumer's own fetches.
    """

    def __init__(self, position: int, missing: int | None = None) -> None:
        self.position = position
        self.missing = missing

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Go on there."""
        self.position = offset

    async def getmany(self, tp: TopicPartition, *, timeout_ms: int, max_records: int) -> Any:
        """As aiokafka's consumer does, with Parley's records."""
        assert timeout_ms > 0
        offsets = range(self.position, self.position + min(FETCHED, max_records))
        self.position = offsets.stop
        given = [one for one in offsets if one != self.missing]
        self.missing = None
        return {tp: [LogRecord(tp.topic, tp.partition, one, EPOCH, None, None) for one in given]}


async def offsets_of_a_batch(
    begins: int, end: int, stands_at: int, missing: int | None = None
) -> list[int]:
    """Of a replay whose tables want `begins` next, and whose consumer stands elsewhere."""
    replay = object.__new__(Replay)
    replay._kafka = Log(stands_at, missing)  # type: ignore[assignment]
    replay._fences = {EVENTS: SimpleNamespace(next_offset=begins)}  # type: ignore[dict-item]
    return [one.offset for one in await replay._fetch(EVENTS, end)]


async def test_fetches_follow_one_another() -> None:
    assert await offsets_of_a_batch(5, 80, stands_at=5) == list(range(5, 80))


async def test_a_consumer_that_stands_elsewhere_is_set_right() -> None:
    assert await offsets_of_a_batch(5, 80, stands_at=7) == list(range(5, 80))


@pytest.mark.parametrize("missing", [6, 20, 33])
async def test_what_is_missing_between_two_of_its_fetches_is_read_again(missing: int) -> None:
    found = await offsets_of_a_batch(5, 40, stands_at=5, missing=missing)
    assert found == list(range(5, 40))


async def test_of_small_fetches_there_are_only_so_many() -> None:
    found = await offsets_of_a_batch(0, BATCH_RECORDS, stands_at=0)
    assert found == list(range(BATCH_FETCHES * FETCHED))
