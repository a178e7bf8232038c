"""What follows the fence: the very next record, or in a compacted topic any later one."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from aiokafka import TopicPartition

from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey, Tail
from parley.log.consumer import Batching, FencedConsumer
from parley.log.consumer.claims import Claim
from parley.settings import Settings

AT = datetime(2026, 1, 1, tzinfo=UTC)
PARTITION = TopicPartition("config", 0)


def consumer(*, is_compacted: bool) -> FencedConsumer:
    nothing = cast(Any, None)
    batching = Batching(10, timedelta(0))
    return FencedConsumer(
        *("me", "config", nothing, Settings(), nothing, nothing, batching, "owner"),
        is_compacted=is_compacted,
    )


def claim(next_offset: int) -> Claim:
    fence = Fence(FenceKey("me", "config", 0), "i", 1, next_offset, Tail(AT, 1))
    return Claim(fence, cast(Any, None), cast(Any, None), expects_tail=True)


def records(*offsets: int) -> list[LogRecord]:
    return [LogRecord("config", 0, offset, AT, b"", b"") for offset in offsets]


async def test_of_a_compacted_topic_any_later_record_follows() -> None:
    reader = consumer(is_compacted=True)
    try:
        # The fence's own last record, at 4, may be gone as well.
        found = reader._following(PARTITION, claim(5), records(3, 7, 12))
        assert [one.offset for one in found] == [7, 12]
        assert reader._following(PARTITION, claim(5), records(3)) == []
    finally:
        await reader._kafka.stop()


async def test_of_any_other_topic_nothing_beyond_a_missing_record_follows() -> None:
    reader = consumer(is_compacted=False)
    try:
        held = claim(5)
        held.expects_tail = False
        found = reader._following(PARTITION, held, records(5, 7))
        assert [one.offset for one in found] == [5]
    finally:
        await reader._kafka.stop()
