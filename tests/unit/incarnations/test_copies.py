"""What a copy says of itself, and what becomes of the records that are hard to copy."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from parley.codec import InvalidRecord, LogRecord, Outgoing, decode_event, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, SOURCE_POSITION
from parley.codec.validity import MAX_RECORD_BYTES
from parley.events import Event, RecordRejected, Tick
from parley.incarnations.plan import BEGINNING, NO_TIME, Planner, Shape
from parley.incarnations.situation import successor_name
from parley.incarnations.switching import Moved
from parley.log.producer import RecordTooLarge, check_size
from parley.position import Position
from services.persister.stream.reading import read_event
from services.sealer.reading import read
from tests.unit.sealer.samples import at, event_id
from tests.unit.sealer.samples import message as said

TIME = at(5)
LATER = at(0) + timedelta(days=30)


def record(event: Event, partition: int = 0, offset: int = 7, time: datetime = TIME) -> LogRecord:
    key = event_key(event.tenant_id, event.conversation_id) if event.conversation_id else None
    return LogRecord("old", partition, offset, time, key, encode_event(event), EVENT_HEADERS)


def message(number: int = 1) -> Event:
    return replace(said(number, 5), received_at=at(5))


def planner(partitions: int, rejected: tuple[tuple[int, int], ...] = ()) -> Planner:
    return Planner(Shape("new", "one", 4, partitions, holds_events=True), rejected)


def appended(copy: Outgoing, offset: int = 0) -> LogRecord:
    """The copy as the broker gives it, much later."""
    assert copy.partition is not None
    return LogRecord("new", copy.partition, offset, LATER, copy.key, copy.value, copy.headers)


def test_a_copy_keeps_its_time_and_says_where_it_lay_first() -> None:
    [copy] = planner(6).copies(record(message()))
    read = appended(copy)
    assert read.append_time() == at(5)
    assert read.source() == Position("one", 0, 7)
    assert decode_event(read) == decode_event(record(message()))


def test_the_tables_name_the_first_place_of_a_copy() -> None:
    [copy] = planner(6).copies(record(message()))
    received = read_event(appended(copy, offset=99), "two")
    assert received is not None
    assert received.place[:4] == ("one", 0, 7, at(5))
    assert received.place.read_offset == 99


def test_a_copy_of_a_copy_names_the_first_place() -> None:
    [copy] = planner(6).copies(record(message()))
    [again] = Planner(Shape("newer", "two", 6, 8, holds_events=True)).copies(appended(copy))
    assert appended(again).source() == Position("one", 0, 7)
    assert appended(again).append_time() == at(5)


def test_a_position_header_that_is_none_makes_a_record_invalid_for_everybody() -> None:
    broken = record(message())._replace(headers=((SOURCE_POSITION, b"\xff"),))
    with pytest.raises(InvalidRecord, match="source_position"):
        decode_event(broken)
    assert read(broken)[0] is None


def test_a_time_header_later_than_the_brokers_own_time_is_invalid_and_moves_no_time() -> None:
    ahead = record(message())._replace(headers=((APPEND_TIME, b"99999999999999999"),))
    with pytest.raises(InvalidRecord, match="append_time"):
        decode_event(ahead)
    assert read(ahead) == (None, BEGINNING)
    [copy] = planner(6).copies(ahead)
    assert dict(copy.headers)[APPEND_TIME] == NO_TIME
    with pytest.raises(InvalidRecord, match="append_time"):
        decode_event(appended(copy))


def test_what_concerns_a_whole_partition_is_copied_into_every_new_one() -> None:
    tick = Event(event_id(1), Tick(at(5)), at(5), at(5))
    copies = planner(6).copies(record(tick, partition=2))
    assert [one.partition for one in copies] == [0, 1, 2, 3, 4, 5]


def test_with_as_many_partitions_everything_stays_in_its_own() -> None:
    tick = Event(event_id(1), Tick(at(5)), at(5), at(5))
    copies = planner(4).copies(record(tick, partition=2))
    assert [one.partition for one in copies] == [2]


def test_a_record_without_a_key_that_is_nothing_known_is_copied_once() -> None:
    garbage = LogRecord("old", 3, 0, at(5), None, b"\xff", ())
    assert [one.partition for one in planner(6).copies(garbage)] == [3]


def test_a_rejection_follows_the_record_that_it_rejects_and_names_its_new_offset() -> None:
    plan = planner(6, rejected=((0, 7),))
    for offset in range(3):
        plan.copies(record(message(offset + 10), partition=0, offset=offset))
    [rejected] = plan.copies(record(message()))
    body = RecordRejected(7, event_id(1), "refused")
    [copy] = plan.copies(record(Event(event_id(2), body, at(5), at(5)), offset=8))
    assert copy.partition == rejected.partition
    event = decode_event(appended(copy))
    assert isinstance(event.body, RecordRejected)
    assert event.body.rejected_offset == 3


def test_a_time_that_moved_in_another_partition_comes_as_a_tick() -> None:
    plan = planner(6)
    plan.copies(record(message(), partition=0, time=at(90)))
    elsewhere = replace(message(2), conversation_id="another")
    copies = plan.copies(record(elsewhere, offset=8, time=at(60)))
    assert [type(decode_event(appended(one)).body).__name__ for one in copies] == [
        "Tick",
        "MessageRecorded",
    ]
    assert appended(copies[0]).append_time() == at(90)


def test_the_longest_record_has_a_copy() -> None:
    longest = Outgoing("old", None, b"x" * (MAX_RECORD_BYTES - 256), ())
    check_size(longest)
    check_size(replace(longest, headers=((SOURCE_POSITION, b"x" * 100), (APPEND_TIME, b"1"))))
    with pytest.raises(RecordTooLarge):
        check_size(replace(longest, headers=(("other", b"1"),)))


def test_incarnations_are_numbered() -> None:
    assert successor_name("parley.events.v1") == "parley.events.v1-2"
    assert successor_name("t.parley.events.v1-9") == "t.parley.events.v1-10"


def test_offsets_in_what_was_lost_are_those_of_what_came_back() -> None:
    moved = Moved(kept=10, lost=[(11, 10), (14, 11)], end=13)
    assert [moved.offset(one) for one in (0, 10, 11, 12, 14, 15, 99)] == [0, 10, 10, 11, 11, 13, 13]
