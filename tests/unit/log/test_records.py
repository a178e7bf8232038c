"""Records as aiokafka gives them, whatever their writers put into them."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, SOURCE_POSITION
from parley.log.records import read_plainly, read_record, to_log_record
from tests.unit.codec.usual import compiled

PLACE = TopicPartition("topic", 3)


@dataclass(frozen=True, slots=True)
class Consumed:
    """What Parley reads of an aiokafka record."""

    headers: Any
    topic: str = "t"
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None


def test_a_header_without_a_value_is_an_empty_one() -> None:
    record = to_log_record(Consumed([("a", None), ("b", b"1"), ("a", b"2")]))
    assert record.headers == (("a", b""), ("b", b"1"), ("a", b"2"))


def test_a_copys_headers_without_values_make_it_an_invalid_record() -> None:
    record = to_log_record(Consumed([(APPEND_TIME, None), (SOURCE_POSITION, None)]))
    with pytest.raises(InvalidRecord, match="append_time"):
        record.append_time()
    with pytest.raises(InvalidRecord, match="source_position"):
        record.source()


LAST_MS = 253_402_300_799_999
some_bytes = st.none() | st.binary(max_size=3)
headers = st.one_of(
    st.just(list(EVENT_HEADERS)),
    st.lists(st.tuples(st.text(max_size=2), some_bytes), max_size=3),
    st.builds(lambda one: [*EVENT_HEADERS, one], st.tuples(st.text(max_size=2), some_bytes)),
)
times = st.one_of(st.integers(-1, LAST_MS), st.sampled_from([-1, 0, 1, 999, 1_000, LAST_MS]))


@compiled
@given(st.lists(st.builds(Consumed, headers, timestamp=times, key=some_bytes, value=some_bytes)))
def test_compiled_or_not_records_read_the_same(consumed: list[Consumed]) -> None:
    for one in consumed:
        read = read_record(PLACE, one)
        assert repr(read) == repr(read_plainly(PLACE, one))
        assert type(read) is LogRecord
        assert hash(read) == hash(read_plainly(PLACE, one))


@compiled
def test_the_usual_headers_are_one_object() -> None:
    assert read_record(PLACE, Consumed(list(EVENT_HEADERS))).headers is EVENT_HEADERS


@compiled
@pytest.mark.parametrize("timestamp", [LAST_MS + 1, 2**63 - 1, 2**63, -(2**63) - 1])
def test_a_time_that_python_cannot_hold_fails_either_way(timestamp: int) -> None:
    for read in (read_record, read_plainly):
        with pytest.raises(OverflowError):
            read(PLACE, Consumed([], timestamp=timestamp))


@compiled
def test_what_is_no_record_or_no_place_is_refused() -> None:
    place: Any
    for place in ((), ("t",), ("t", 1, 2), ["t", 1], None):
        with pytest.raises(TypeError):
            read_record(place, Consumed([]))
    for wrong in (Consumed(None), Consumed([], timestamp="x")):  # type: ignore[arg-type]
        with pytest.raises(TypeError):
            read_record(PLACE, wrong)
    with pytest.raises(AttributeError):
        read_record(PLACE, object())


@compiled
def test_nothing_is_kept_of_records_but_the_last_time() -> None:
    consumed = Consumed([("a", b"1")], offset=10**9, timestamp=10**12 + 7, key=bytes(7))
    for one in (consumed, Consumed(None, offset=10**9, key=consumed.key)):
        parts = (one.key, one.offset, PLACE, *(one.headers or ()))
        before = [sys.getrefcount(part) for part in parts]
        for _ in range(50):
            with suppress(TypeError):
                read_record(PLACE, one)
        assert [sys.getrefcount(part) for part in parts] == before
