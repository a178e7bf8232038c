"""Messages that are read without their content are those that are read closely."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord, encode_event
from parley.codec.events import EVENT_HEADERS, read_closely
from parley.codec.said import said_in
from parley.events import Content, Event, MessageRecorded, Policy, Said
from parley.wire import events_pb2
from tests.unit.codec.samples import NOON
from tests.unit.codec.usual import (
    HELLO,
    MESSAGE,
    as_read,
    changes,
    compiled,
    damaged,
    several_in_one,
)

USUAL = as_read(MESSAGE)


def outline(event: Event) -> Said:
    return Said(*(getattr(event, name) for name in Said._fields))


def check_alike(given: list[LogRecord]) -> None:
    """What is read at all is a message that is valid, and says what it says."""
    for record, found in zip(given, said_in(given), strict=True):
        if found is None:
            continue
        event = read_closely(record)
        assert isinstance(event.body, MessageRecorded)
        assert found == outline(event)


@given(st.lists(changes, min_size=1, max_size=4))
def test_whatever_messages_say_both_ways_read_the_same(every: list[dict[str, object]]) -> None:
    check_alike([as_read(replace(MESSAGE, **fields)) for fields in every])  # type: ignore[arg-type]


@given(damaged())
def test_of_damaged_records_both_ways_read_the_same(record: LogRecord) -> None:
    check_alike([USUAL, record])


@given(several_in_one())
def test_of_events_that_are_written_one_after_the_other_both_ways_read_the_same(
    records: list[LogRecord],
) -> None:
    for record in records:
        check_alike([record])


@pytest.mark.parametrize(
    "field",
    ["occurred_at", "sent_at", "received_at", "event_time", "policy", "message_recorded"],
)
def test_what_is_there_twice_is_looked_at_again(field: str) -> None:
    twice = events_pb2.Event()
    getattr(twice, field).CopyFrom(
        getattr(events_pb2.Event.FromString(encode_event(MESSAGE)), field)
    )
    given = as_read(MESSAGE, value=encode_event(MESSAGE) + twice.SerializeToString())
    assert said_in([given]) == [None]


@compiled
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"occurred_at": None, "sent_at": None, "event_time": NOON},
        {"import_id": "i", "event_time": NOON - timedelta(8_000)},
        {"session_id": "", "user_id": "ü"},
        {"body": HELLO._replace(content=Content("Guten Tag — 你好", "https://a/b.ogg"))},
        {"policy": Policy("brief", 3, idle_gap=timedelta(seconds=10), grace=timedelta(0))},
    ],
)
def test_a_usual_message_is_read(changed: dict[str, object]) -> None:
    event = replace(MESSAGE, **changed)  # type: ignore[arg-type]
    assert said_in([USUAL, as_read(event)]) == [outline(MESSAGE), outline(event)]


@compiled
@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": "x" * 513},
        {"import_id": "x" * 513},
        {"user_id": "\0"},
        {"event_id": MESSAGE.event_id.upper()},
        {"event_id": ""},
        {"occurred_at": NOON.replace(year=1899)},
        {"event_time": NOON.replace(year=2200)},
        {"body": HELLO._replace(language="\0")},
        {"body": HELLO._replace(content=Content("\0"))},
        {"body": HELLO._replace(content=Content("hi", metadata_json="[]"))},
        {"policy": Policy("\0")},
        {"policy": Policy(max_messages=0)},
    ],
)
def test_what_makes_a_message_invalid_spares_its_neighbours(changed: dict[str, object]) -> None:
    given = as_read(replace(MESSAGE, **changed))  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord):
        read_closely(given)
    assert said_in([USUAL, given, USUAL]) == [outline(MESSAGE), None, outline(MESSAGE)]


@pytest.mark.parametrize("key", [None, b"", b"acme\0c/2"])
def test_a_message_under_another_key_is_looked_at_again(key: bytes | None) -> None:
    assert said_in([as_read(MESSAGE, key=key)]) == [None]


@compiled
def test_a_message_far_from_its_append_time_is_looked_at_again() -> None:
    later = USUAL._replace(broker_time=USUAL.broker_time + timedelta(minutes=6))
    assert said_in([later, USUAL]) == [None, outline(MESSAGE)]


@pytest.mark.parametrize("field", ["received_at", "event_time"])
def test_a_time_that_is_missing_is_looked_at_again(field: str) -> None:
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    wire.ClearField(field)
    assert said_in([as_read(MESSAGE, value=wire.SerializeToString())]) == [None]


@compiled
def test_other_content_and_no_value_are_looked_at_again() -> None:
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    wire.message_recorded.content.encrypted.key_id = "k"
    sealed = as_read(MESSAGE, value=wire.SerializeToString())
    empty = LogRecord("t", 0, 0, NOON, None, None, EVENT_HEADERS)
    assert said_in([sealed, USUAL, empty]) == [None, outline(MESSAGE), None]
