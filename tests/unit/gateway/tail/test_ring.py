"""The newest records in memory: in order, without a gap, and within bounds."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import LogRecord
from services.gateway.tail.ring import OVERHEAD_BYTES, LogGap, Ring

AT = datetime(2026, 1, 31, 12, tzinfo=UTC)
SIZE = OVERHEAD_BYTES + 1 + 10


def record(offset: int, key: bytes = b"a") -> LogRecord:
    return LogRecord("t", 0, offset, AT, key, b"x" * 10)


def test_a_conversations_records_come_in_order_from_an_offset_on() -> None:
    ring = Ring(5, 100 * SIZE)
    for offset in range(5, 15):
        ring.append(record(offset, b"a" if offset % 2 else b"b"))
    assert [one.offset for one in ring.of(b"a", 8)] == [9, 11, 13]
    assert list(ring.of(b"nobody", 0)) == []
    assert (ring.start_offset, ring.next_offset) == (5, 15)
    assert ring.covers(5)
    assert not ring.covers(4)


@pytest.mark.parametrize("offset", [4, 6])
def test_a_record_that_is_not_the_next_one_is_a_gap(offset: int) -> None:
    with pytest.raises(LogGap):
        Ring(5, SIZE).append(record(offset))


@given(st.lists(st.sampled_from([b"a", b"b", b"c"]), max_size=60), st.integers(1, 20))
def test_what_is_kept_are_the_newest_and_the_index_agrees(keys: list[bytes], room: int) -> None:
    ring = Ring(0, room * SIZE)
    for offset, key in enumerate(keys):
        ring.append(record(offset, key))
    kept = [offset for offset in range(len(keys)) if offset >= ring.start_offset]
    assert len(kept) == min(len(keys), room)
    indexed = {key: [one.offset for one in ring.of(key, 0)] for key in (b"a", b"b", b"c")}
    assert sorted(one for offsets in indexed.values() for one in offsets) == kept
    assert all(keys[offset] == key for key, offsets in indexed.items() for offset in offsets)
