"""Batches are parsed one after the other: by turns they would be done, and written, together."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey
from parley.log.consumer import Batch
from services.persister.core.bad_records import BadLimits
from services.persister.core.rows import Received
from services.persister.stream.handler import RECORDS_AT_A_STRETCH, PersisterHandler
from services.persister.stream.reading import Read
from services.persister.stream.rejections import Rejections

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
STRETCHES = 3


def batch(partition: int) -> Batch:
    fence = Fence(FenceKey("persister", "events", partition), "inc", 1, 0, None)
    offsets = range(STRETCHES * RECORDS_AT_A_STRETCH)
    return Batch(fence, [LogRecord("events", partition, one, NOON, b"k", b"") for one in offsets])


async def test_a_batch_is_parsed_whole_before_the_next_one_is_begun() -> None:
    parsed: list[int] = []

    def read(records: Sequence[LogRecord], _: str) -> list[Read[Received]]:
        parsed.append(records[0].partition)
        return [None] * len(records)

    nothing = cast(Any, None)
    handler = PersisterHandler(read, nothing, nothing, BadLimits(1, 1.0, 1), "letters")
    handler._rejections = {0: Rejections({}, {}), 1: Rejections({}, {})}
    works = await asyncio.gather(*(handler.prepare(batch(one)) for one in (0, 1)))
    assert parsed == [0] * STRETCHES + [1] * STRETCHES
    assert [one.not_for_table_count for one in works] == [STRETCHES * RECORDS_AT_A_STRETCH] * 2
