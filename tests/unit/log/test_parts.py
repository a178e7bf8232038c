"""A batch that is written in parts leaves the fence between two records, or where it was."""

from datetime import UTC, datetime

from parley.codec import LogRecord
from parley.db.fence import Fence, FenceKey, Tail
from parley.log.consumer import Batch, Part
from parley.log.consumer.handler import divided
from parley.log.records import tail_of

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FENCE = Fence(FenceKey("fold", "events", 0), "incarnation", 1, 7, Tail(NOON, 4_711))
RECORDS = [LogRecord("events", 0, 7 + n, NOON, None, b"value", ()) for n in range(3)]


def test_work_without_parts_covers_the_batch() -> None:
    batch = Batch(FENCE, RECORDS)
    assert divided(batch, "work") == (batch, "work", ())


def test_a_part_moves_the_fence_past_the_records_that_it_covers() -> None:
    part, work, rest = divided(Batch(FENCE, RECORDS), Part("work", 2))
    assert (work, list(rest)) == ("work", RECORDS[2:])
    assert (part.last_offset, part.tail) == (8, tail_of(RECORDS[1]))


def test_a_part_of_no_records_leaves_the_fence_and_the_memory_of_the_logs_end() -> None:
    part, _, rest = divided(Batch(FENCE, RECORDS), Part("work", 0))
    assert list(rest) == RECORDS
    assert FENCE.after(part.last_offset, part.tail) == FENCE
