"""The compiled reader: what it makes, what it leaves to others, and that it keeps nothing."""

import gc
import shutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, LogRecord, encode_event, usual
from parley.codec.events import EVENT_HEADERS, _usual, read_closely
from parley.codec.policies import valid_policy
from parley.codec.record import EPOCH
from parley.codec.usual import IS_COMPILED, message_reader
from parley.codec.validity import EARLIEST, LATEST
from parley.codec.wire_fields import length
from parley.events import Event, Policy
from parley.wire import content_pb2, events_pb2
from tests.unit.codec.samples import NOON
from tests.unit.codec.usual import MESSAGE, as_read, compiled

USUAL = as_read(MESSAGE)
VALUE = encode_event(MESSAGE)
DAY = timedelta(days=1)
HEADERS = Path(sysconfig.get_path("include"))
CAN_COMPILE = shutil.which("cc") is not None and (HEADERS / "Python.h").exists()


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
    found = _usual([record], None)[0]
    return found is None or repr(found) == repr(closely(record))


@pytest.mark.skipif(not CAN_COMPILE, reason="there is no C compiler, or Python has no headers")
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
    assert hash(made) == hash(Told(*made))
    # What is no tuple takes its fields as arguments.
    assert read(datetime, "given", "given", "given", given=7) == [datetime(7, 7, 7)]  # noqa: DTZ001


@compiled
@pytest.mark.parametrize(
    "item",
    ["text or none", "record", "", "policy or None", "text\0", 1, (), (tuple, *["text"] * 33)],
)
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
    for field in events_pb2.Event.DESCRIPTOR.oneofs_by_name["body"].fields:
        other = events_pb2.Event()
        getattr(other, field.name).SetInParent()
        for value in (VALUE + other.SerializeToString(), other.SerializeToString() + VALUE):
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
        # The broker's clock says the same, or the record would be looked at again.
        wire.received_at.FromDatetime(moment)
        value = wire.SerializeToString()
        [(found,)] = reader([USUAL._replace(value=value, broker_time=moment)], None)
        assert (found, found.tzinfo) == (moment, moment.tzinfo)


@compiled
@pytest.mark.parametrize("second", [-62_135_596_800, -1, 0, 253_402_300_799])
def test_a_broker_may_have_any_time_that_python_has(second: int) -> None:
    at = EPOCH + timedelta(seconds=second)
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
def test_a_text_ends_with_the_message_that_holds_it() -> None:
    wire = events_pb2.Event.FromString(VALUE)
    body = wire.message_recorded.SerializeToString()
    wire.ClearField("message_recorded")
    wire.ClearField("sender")
    assert body.endswith(b"\x22\x02en")
    # The language would reach into the event's next field, whose first byte is a "2".
    reaching = body.removesuffix(b"\x02en") + b"\x03en"
    value = wire.SerializeToString() + b"\xb2\x02" + length(len(reaching)) + reaching
    record = as_read(MESSAGE, value=value + b"\x32\x01s")
    assert read(tuple, "language", records=[record]) == [None]


@compiled
@pytest.mark.parametrize("part", ["audio_url", "import_id"])
def test_a_text_that_is_there_and_empty_is_not_taken_for_none(part: str) -> None:
    wire = events_pb2.Event.FromString(VALUE)
    setattr(wire if part == "import_id" else wire.message_recorded.content.plain, part, "")
    value = wire.SerializeToString()
    assert agrees(value)
    assert read(tuple, "text", records=[as_read(MESSAGE, value=value)]) == [None]


@compiled
def test_content_that_is_plain_and_encrypted_is_looked_at_again() -> None:
    wire = events_pb2.Event.FromString(VALUE)
    body = wire.message_recorded.SerializeToString()
    wire.ClearField("message_recorded")
    plain = wire.SerializeToString()
    key = content_pb2.EncryptedContent(key_id="k")
    hidden = content_pb2.Content(encrypted=key).SerializeToString()
    seen = events_pb2.Event.FromString(VALUE).message_recorded.content.SerializeToString()
    at = body.index(seen) - 1
    both = body[:at] + length(len(seen + hidden)) + seen + hidden + body[at + 1 + len(seen) :]
    value = plain + b"\xb2\x02" + length(len(both)) + both
    assert closely(as_read(MESSAGE, value=value)) is None
    assert read(tuple, "text", records=[as_read(MESSAGE, value=value)]) == [None]


@compiled
def test_a_text_that_begins_like_the_one_before_is_another() -> None:
    names = ["ada lovelace", "ada", "", "ada lovelace", "bda"]
    records = [as_read(replace(MESSAGE, user_id=one)) for one in names]
    assert read(tuple, "user_id", records=records) == [(one,) for one in names]


@compiled
def test_what_is_no_record_is_left_to_others_or_refused() -> None:
    assert read(tuple, "text", records=[None, (), USUAL._replace(key=None)]) == [None] * 3  # type: ignore[list-item]
    with pytest.raises(TypeError):
        read(tuple, "text", records=3)  # type: ignore[arg-type]


@compiled
@pytest.mark.parametrize("within", ["", "idle_gap", "grace", "max_duration"])
def test_a_policy_is_read_no_deeper_than_within_its_event(within: str) -> None:
    for depth in range(90, 110):
        # Groups of a field that nobody knows, one in the other.
        groups = b"\x9b\x06" * depth + b"\x9c\x06" * depth
        wire = events_pb2.Event.FromString(VALUE)
        part = getattr(wire.policy, within).SerializeToString() + groups if within else groups
        number = wire.policy.DESCRIPTOR.fields_by_name[within].number if within else 0
        more = bytes([number << 3 | 2]) + length(len(part)) + part if within else part
        policy = wire.policy.SerializeToString() + more
        wire.ClearField("policy")
        value = wire.SerializeToString() + b"\x82\x01" + length(len(policy)) + policy
        assert agrees(value), depth


@compiled
def test_whoever_looks_while_python_is_asked_sees_nothing_half_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def look(value: bytes) -> Policy | None:
        for one in gc.get_objects():
            if type(one) in (list, tuple, Told):
                list(one)
        return valid_policy(value)

    monkeypatch.setattr(usual, "valid_policy", look)
    held = (Told, "event_id", "user_id", "policy")
    assert len(read(Told, "event_id", held, "text", records=[USUAL] * 3)) == 3


def test_every_field_of_the_contract_is_known_to_the_reader() -> None:
    # Where one is added, `compiled/message.h` has to read it, or to leave its records to others.
    plain = content_pb2.PlainContent
    assert {
        type_.DESCRIPTOR.name: sorted(type_.DESCRIPTOR.fields_by_number)
        for type_ in (events_pb2.Event, events_pb2.MessageRecorded, content_pb2.Content, plain)
    } == {
        "Event": [*range(1, 18), *range(32, 49)],
        "MessageRecorded": [1, 2, 3, 4],
        "Content": [1, 2],
        "PlainContent": [1, 2, 3],
    }


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
    no_text = as_read(MESSAGE, value=VALUE.replace(b"hello", b"hell\xff"))
    reader = message_reader(
        (Told, "event_id", (list, (tuple, "policy", "given")), "record.value"), EVENT_HEADERS
    )
    reader([USUAL, broken, refused, no_text], given)
    policy = _usual([USUAL], None)[0].policy
    held = [
        policy,
        USUAL.value,
        USUAL.headers,
        broken.value,
        refused.value,
        no_text.value,
        given,
        Told,
        list,
    ]
    before = [sys.getrefcount(one) for one in held]
    for _ in range(1_000):
        reader([USUAL, broken, refused, no_text], given)
    # As many more as other threads may hold at any one time, and not a thousand.
    assert all(sys.getrefcount(one) - count < 100 for one, count in zip(held, before, strict=True))
