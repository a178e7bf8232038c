"""A replay's batch is made of several fetches, each of which begins where the one before ended."""

from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.codec.record import EPOCH
from parley.log.replay.replay import BATCH_FETCHES, BATCH_RECORDS, Replay

EVENTS = TopicPartition("events", 0)
FETCHED = 30


class Log:
    """Gives so many records at a time, from where it was read or sought last."""

    def __init__(self, position: int) -> None:
        self.position = position

    def seek(self, _: TopicPartition, offset: int) -> None:
        """Go on there."""
        self.position = offset

    async def getmany(self, tp: TopicPartition, *, timeout_ms: int, max_records: int) -> Any:
        """As aiokafka's consumer does, with Parley's records."""
        assert timeout_ms > 0
        offsets = range(self.position, self.position + min(FETCHED, max_records))
        self.position = offsets.stop
        return {tp: [LogRecord(tp.topic, tp.partition, one, EPOCH, None, None) for one in offsets]}


async def offsets_of_a_batch(begins: int, end: int, stands_at: int) -> list[int]:
    """Of a replay whose tables want `begins` next, and whose consumer stands elsewhere."""
    replay = object.__new__(Replay)
    replay._kafka = Log(stands_at)  # type: ignore[assignment]
    replay._fences = {EVENTS: SimpleNamespace(next_offset=begins)}  # type: ignore[dict-item]
    return [one.offset for one in await replay._fetch(EVENTS, end)]


async def test_fetches_follow_one_another() -> None:
    assert await offsets_of_a_batch(5, 80, stands_at=5) == list(range(5, 80))


async def test_a_consumer_that_stands_elsewhere_is_set_right() -> None:
    assert await offsets_of_a_batch(5, 80, stands_at=7) == list(range(5, 80))


async def test_of_small_fetches_there_are_only_so_many() -> None:
    found = await offsets_of_a_batch(0, BATCH_RECORDS, stands_at=0)
    assert found == list(range(BATCH_FETCHES * FETCHED))
