"""Many records are read together as each is read by itself, copies and traced ones among them."""

from datetime import UTC, datetime, timedelta

import pytest

from parley.codec import Header, LogRecord, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, EPOCH, SOURCE_POSITION
from parley.events import Event, RuleActivated, Said, Tick
from parley.position import Position
from parley.tracing import TRACEPARENT
from services.sealer.core import BEGINNING, Fact, UnknownRule, as_fact
from services.sealer.reading import read, read_all
from tests.support.publish import message

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
COPIED_AT = NOON + timedelta(days=400)
TRACE = (TRACEPARENT, b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")


def appended(moment: datetime) -> Header:
    return (APPEND_TIME, b"%d" % ((moment - EPOCH) // timedelta(microseconds=1)))


def record(event: Event, at: datetime, *more: Header) -> LogRecord:
    key = event_key(event.tenant_id, event.conversation_id) if event.conversation_id else None
    return LogRecord("events", 0, 0, at, key, encode_event(event), (*EVENT_HEADERS, *more))


SAID = message("c1", 1, at=NOON, received_at=NOON)
IMPORTED = message("c1", 2, at=NOON, received_at=NOON, import_id="i")
TICK = Event("00000000-0000-4000-8000-000000000001", Tick(NOON), NOON, NOON)
ELSEWHERE = (SOURCE_POSITION, str(Position("i", 3, 7)).encode())
HERE = (SOURCE_POSITION, str(Position("i", 0, 7)).encode())
RECORDS = [
    record(SAID, NOON),
    record(SAID, NOON, TRACE),
    record(TICK, NOON),
    record(SAID, COPIED_AT, appended(NOON)),
    record(SAID, COPIED_AT, appended(NOON), ELSEWHERE),
    record(IMPORTED, COPIED_AT, appended(NOON), ELSEWHERE),
    record(IMPORTED, COPIED_AT, appended(NOON), HERE),
    record(SAID, COPIED_AT, appended(COPIED_AT + timedelta(seconds=1))),
    record(SAID, COPIED_AT, (APPEND_TIME, b"noon")),
    record(SAID, COPIED_AT, appended(NOON), (SOURCE_POSITION, b"somewhere")),
    record(SAID, COPIED_AT),
    LogRecord("events", 0, 0, NOON, None, None, EVENT_HEADERS),
]


def read_together(records: list[LogRecord]) -> list[tuple[Fact | None, datetime]]:
    facts, append_times = read_all(records)
    return list(zip(facts, append_times, strict=True))


def test_many_are_read_as_each_is() -> None:
    expected = [
        (None if event is None else as_fact(event), append_time)
        for event, append_time in map(read, RECORDS)
    ]
    assert read_together(RECORDS) == expected


def test_a_copy_says_what_its_original_said() -> None:
    [original, copy] = read_together([RECORDS[0], RECORDS[3]])
    assert original == copy
    assert isinstance(original[0], Said)


def test_imports_of_other_partitions_are_imports_of_their_own() -> None:
    facts = [fact for fact, _ in read_together(RECORDS[5:7])]
    assert [one.import_id for one in facts if one is not None] == ["i\n3", "i"]


def test_a_copy_without_a_valid_time_moves_none_and_one_without_a_source_is_invalid() -> None:
    assert read_together(RECORDS[7:10]) == [(None, BEGINNING), (None, BEGINNING), (None, NOON)]


def test_an_unknown_rule_of_validity_stops_the_partition() -> None:
    rule = Event("00000000-0000-4000-8000-000000000002", RuleActivated(1, 99), NOON, NOON)
    with pytest.raises(UnknownRule):
        read_all([RECORDS[0], record(rule, NOON)])
