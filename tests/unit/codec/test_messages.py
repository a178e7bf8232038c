"""Messages that are certain to be valid are read quickly, and as if they were read closely."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import Header, InvalidRecord, LogRecord, encode_event
from parley.codec.events import _usual, read_closely
from parley.codec.validity import EARLIEST, LATEST
from parley.events import Content, Event, Policy
from parley.wire import events_pb2
from tests.unit.codec.samples import NOON, events
from tests.unit.codec.usual import HELLO, MESSAGE, as_read, changes, compiled, headers


def check_alike(given: LogRecord) -> None:
    """What is read quickly is what is read closely."""
    read = _usual([given], None)[0]
    if read is not None:
        assert read == read_closely(given)
        assert repr(read) == repr(read_closely(given))
        assert hash(read) == hash(read_closely(given))


@given(changes, headers)
def test_whatever_a_message_says_both_ways_read_the_same(
    fields: dict[str, object], headers: tuple[Header, ...]
) -> None:
    check_alike(as_read(replace(MESSAGE, **fields), headers=headers))  # type: ignore[arg-type]


@given(events, st.data())
def test_of_damaged_records_both_ways_read_the_same(event: Event, data: st.DataObject) -> None:
    value = bytearray(encode_event(data.draw(st.sampled_from([event, MESSAGE]))))
    for _ in range(data.draw(st.integers(0, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    check_alike(as_read(MESSAGE, value=bytes(value)))


@given(st.lists(events, min_size=2, max_size=3))
def test_of_events_that_are_written_one_after_the_other_both_ways_read_the_same(
    parts: list[Event],
) -> None:
    value = b"".join(map(encode_event, parts))
    check_alike(as_read(MESSAGE, value=value + encode_event(MESSAGE)))
    check_alike(as_read(MESSAGE, value=encode_event(MESSAGE) + value))


@compiled
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"occurred_at": None, "sent_at": None, "event_time": NOON},
        {"import_id": "i", "event_time": NOON - timedelta(8_000)},
        {"session_id": "", "user_id": ""},
        {"body": HELLO._replace(content=Content("Guten Tag — 你好", "https://a/b.ogg"))},
        {"policy": Policy("brief", 3, idle_gap=timedelta(seconds=10), seal_on_end=True)},
    ],
)
def test_a_usual_message_is_read_quickly(changed: dict[str, object]) -> None:
    event = replace(MESSAGE, **changed)  # type: ignore[arg-type]
    given = as_read(event)
    assert _usual([given], None)[0] == event


@pytest.mark.parametrize("key", [None, b"", b"acme\0c/2"])
def test_a_message_under_another_key_is_looked_at_again(key: bytes | None) -> None:
    given = as_read(MESSAGE, key=key)
    assert _usual([given], None)[0] is None


def test_a_time_without_a_moment_is_looked_at_again() -> None:
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    wire.ClearField("event_time")
    given = as_read(MESSAGE, value=wire.SerializeToString())
    assert _usual([given], None)[0] is None


@pytest.mark.parametrize(
    "changed",
    [
        {"user_id": "x" * 513},
        {"import_id": "x" * 513},
        {"session_id": "ü" * 257},
        {"user_id": "\0"},
        {"occurred_at": NOON.replace(year=1899)},
        {"event_time": NOON.replace(year=2200)},
        {"body": HELLO._replace(language="\0")},
        {"body": HELLO._replace(content=Content("\0"))},
        {"body": HELLO._replace(content=Content("hi", metadata_json="[]"))},
        {"policy": Policy("\0")},
        {"policy": Policy(max_messages=0)},
    ],
)
def test_what_makes_a_message_invalid_does_so_both_ways(changed: dict[str, object]) -> None:
    given = as_read(replace(MESSAGE, **changed))  # type: ignore[arg-type]
    check_alike(given)
    with pytest.raises(InvalidRecord):
        read_closely(given)


@pytest.mark.parametrize("nanos", [-1, 1_000_000_000])
def test_nanoseconds_beyond_a_second_read_the_same_both_ways(nanos: int) -> None:
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    # The last second that is believed, or the first.
    edge = LATEST - timedelta(seconds=1) if nanos > 0 else EARLIEST
    wire.occurred_at.FromDatetime(edge)
    wire.occurred_at.nanos = nanos
    given = as_read(MESSAGE, value=wire.SerializeToString())
    check_alike(given)
    assert _usual([given], None)[0] is None


def test_a_content_that_cannot_be_read_is_invalid_both_ways() -> None:
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    wire.message_recorded.content.encrypted.key_id = "k"
    given = as_read(MESSAGE, value=wire.SerializeToString())
    check_alike(given)
    assert _usual([given], None)[0] is None
