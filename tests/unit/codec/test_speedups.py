"""The compiled reader: what it makes, what it leaves to others, and that it keeps nothing."""

import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord, encode_event, usual
from parley.codec.events import EVENT_HEADERS, read_closely
from parley.codec.record import EPOCH
from parley.codec.usual import IS_COMPILED, message_reader
from parley.codec.validity import EARLIEST, LATEST
from parley.codec.wire_fields import length
from parley.events import Event
from parley.wire import events_pb2
from tests.unit.codec.samples import NOON
from tests.unit.codec.usual import MESSAGE, as_read

USUAL = as_read(MESSAGE)
VALUE = encode_event(MESSAGE)
DAY = timedelta(days=1)

compiled = pytest.mark.skipif(not IS_COMPILED, reason="there was no C compiler")


class Told(NamedTuple):
    """A few fields of a message."""

    event_id: str
    user_id: str | None
    text: str


def read(*items: Any, records: list[LogRecord] | None = None, given: object = None) -> list[Any]:
    """What a reader of the shape makes of the usual message, or of these records."""
    return message_reader(items, EVENT_HEADERS)([USUAL] if records is None else records, given)


def closely(record: LogRecord) -> Event | None:
    try:
        return read_closely(record)
    except InvalidRecord:
        return None


def agrees(value: bytes) -> bool:
    """Whether what is read of the value at all is what is read of it closely."""
    record = as_read(MESSAGE, value=value)
    found = read(Told, "event_id", "user_id or None", "text", records=[record])[0]
    event = None if found is None else closely(record)
    return found is None or (
        event is not None
        and found == (event.event_id, event.user_id or None, event.body.content.text)  # type: ignore[union-attr]
    )


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_where_there_is_a_compiler_the_reader_is_compiled() -> None:
    assert IS_COMPILED


def test_without_it_every_record_is_left_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usual, "MessageReader", None)
    assert read(Told, "event_id", "user_id or None", "text", records=[USUAL, USUAL]) == [None, None]


@compiled
def test_a_shape_says_the_type_and_the_fields_and_may_hold_others() -> None:
    held = (tuple, "text", "given", "not user_id", "role.value", "record.offset")
    [made] = read(Told, "event_id", "user_id or None", held, given="inc")
    assert made == (MESSAGE.event_id, MESSAGE.user_id, ("hello", "inc", False, "user", 0))
    assert type(made) is Told
    # What is no tuple takes its fields as arguments.
    assert read(datetime, "given", "given", "given", given=7) == [datetime(7, 7, 7)]  # noqa: DTZ001


@compiled
@pytest.mark.parametrize("item", ["text or none", "record", "", "policy or None", 1, (), ("text",)])
def test_a_shape_that_names_what_is_not_there_is_refused(item: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        read(tuple, "text", item)


@compiled
def test_fields_of_a_later_release_are_passed_over() -> None:
    # Numbers that no field has, as a varint, 8 bytes, bytes and 4 bytes.
    later = b"\xa0\x06\x07" + b"\xa1\x06" + bytes(8) + b"\xa2\x06\x01x" + b"\xa5\x06" + bytes(4)
    assert read(tuple, "text", records=[as_read(MESSAGE, value=later + VALUE)]) == [("hello",)]
    assert closely(as_read(MESSAGE, value=later + VALUE)) == MESSAGE


@compiled
def test_a_body_of_another_kind_beside_the_message_is_looked_at_again() -> None:
    other = events_pb2.Event(tick=events_pb2.Tick()).SerializeToString()
    for value in (VALUE + other, other + VALUE):
        assert read(tuple, "text", records=[as_read(MESSAGE, value=value)]) == [None]


@compiled
def test_however_a_message_is_cut_off_it_is_never_read_otherwise() -> None:
    assert all(agrees(VALUE[:end]) for end in range(len(VALUE)))
    assert agrees(VALUE)


@compiled
def test_whichever_byte_is_another_it_is_never_read_otherwise() -> None:
    for place in range(len(VALUE)):
        for byte in (0, 1, 2, 9, 0x0A, 0x7F, 0x80, 0xC3, 0xFF, VALUE[place] ^ 1, VALUE[place] ^ 8):
            assert agrees(VALUE[:place] + bytes([byte]) + VALUE[place + 1 :]), (place, byte)


@compiled
@given(st.binary(max_size=40), st.integers(0, len(VALUE)))
def test_whatever_stands_in_between_it_is_never_read_otherwise(more: bytes, place: int) -> None:
    assert agrees(VALUE[:place] + more + VALUE[place:])


def moments() -> Iterator[datetime]:
    """Days of all years that are believed, their ends, and the ends of the years."""
    day = EARLIEST
    while day < LATEST:
        yield from (day, day + DAY - timedelta(microseconds=1))
        day += 23 * DAY
    for year in range(EARLIEST.year, LATEST.year):
        yield EPOCH.replace(year=year, month=2, day=28) + DAY
        yield EPOCH.replace(year=year, month=12, day=31, hour=23, minute=59, second=59)


@compiled
def test_every_moment_that_is_believed_is_the_same_moment() -> None:
    reader = message_reader((tuple, "occurred_at"), EVENT_HEADERS)
    wire = events_pb2.Event.FromString(VALUE)
    for moment in moments():
        wire.occurred_at.FromDatetime(moment)
        [(found,)] = reader([USUAL._replace(value=wire.SerializeToString())], None)
        assert (found, found.tzinfo) == (moment, moment.tzinfo)


@compiled
@pytest.mark.parametrize("second", [-62_135_596_800, -1, 0, 1 << 40])
def test_a_broker_may_have_any_time_that_python_has(second: int) -> None:
    try:
        at = EPOCH + timedelta(seconds=second)
    except OverflowError:
        return
    assert read(tuple, "text", records=[USUAL._replace(broker_time=at)]) == [None]
    naive = USUAL._replace(broker_time=NOON.replace(tzinfo=None))
    assert read(tuple, "text", records=[naive]) == [None]


@compiled
@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 127, 128, 16_384])
def test_texts_of_any_length_are_read(size: int) -> None:
    for letter in ("a", "ü", "你", "🙂"):
        text = letter * size + "."
        wire = events_pb2.Event.FromString(VALUE)
        wire.message_recorded.content.plain.text = text
        record = as_read(MESSAGE, value=wire.SerializeToString())
        assert read(tuple, "text", records=[record]) == [(text,)]


@compiled
def test_a_length_beyond_the_end_is_no_message() -> None:
    for size in (1 << 31, 1 << 63, (1 << 64) - 1):
        assert read(tuple, "text", records=[as_read(MESSAGE, value=b"\x0a" + length(size))]) == [
            None
        ]


def longer(varint: bytes, size: int) -> bytes:
    """The same number, in more bytes than it needs."""
    return bytes(one | 0x80 for one in varint) + b"\x80" * (size - len(varint) - 1) + b"\x00"


@compiled
@pytest.mark.parametrize("size", range(2, 11))
def test_a_number_that_is_longer_than_need_be_is_looked_at_again(size: int) -> None:
    # Protobuf takes a tag of five bytes and refuses one of six; a value may have ten.
    sender = b"\x06sender"
    for value in (longer(b"\x32", size) + sender, b"\x32" + longer(b"\x06", size) + b"sender"):
        wire = events_pb2.Event.FromString(VALUE)
        wire.ClearField("sender")
        record = as_read(MESSAGE, value=wire.SerializeToString() + value)
        assert read(tuple, "text", records=[record]) == [None]


@compiled
def test_what_is_no_record_is_left_to_others_or_refused() -> None:
    assert read(tuple, "text", records=[None, (), USUAL._replace(key=None)]) == [None] * 3  # type: ignore[list-item]
    with pytest.raises(TypeError):
        read(tuple, "text", records=3)  # type: ignore[arg-type]


@compiled
def test_what_python_raises_when_it_is_asked_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: bytes) -> None:
        raise RuntimeError("no policy today")

    monkeypatch.setattr(usual, "valid_policy", fail)
    with pytest.raises(RuntimeError, match="no policy today"):
        read(tuple, "text")


@compiled
def test_nothing_is_kept_of_what_was_read() -> None:
    given, broken = object(), as_read(MESSAGE, value=VALUE[:-1])
    refused = as_read(MESSAGE, value=VALUE.replace(b'{"n":1}', b'{"n":1]'))
    reader = message_reader(
        (Told, "event_id", (list, (tuple, "policy", "given")), "record.value"), EVENT_HEADERS
    )
    reader([USUAL, broken, refused], given)
    held = [USUAL.value, USUAL.headers, broken.value, refused.value, given, Told, list, True]
    before = [sys.getrefcount(one) for one in held]
    for _ in range(1_000):
        reader([USUAL, broken, refused], given)
    # As many more as other threads may hold at any one time, and not a thousand.
    assert all(sys.getrefcount(one) - count < 100 for one, count in zip(held, before, strict=True))
