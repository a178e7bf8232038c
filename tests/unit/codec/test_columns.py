"""The fields of many messages come as columns, aligned wherever each message has a field once."""

import pytest
from google.protobuf.message import DecodeError

from parley.codec.columns import Columns, has_each_once, says_each_once
from parley.wire import content_pb2, events_pb2

EVENT = events_pb2.Event(event_id="e", user_id="u", tick=events_pb2.Tick())
HI = events_pb2.MessageRecorded(
    role=content_pb2.ROLE_USER,
    content=content_pb2.Content(plain=content_pb2.PlainContent(text="hi")),
)


def written(*messages: events_pb2.Event | events_pb2.MessageRecorded) -> list[bytes]:
    return [one.SerializeToString() for one in messages]


def test_each_field_is_a_column_and_what_lies_in_messages_is_bytes() -> None:
    said = events_pb2.Event(event_id="f", user_id="v", message_recorded=HI)
    columns = Columns(events_pb2.Event, written(said, said))
    assert columns["user_id"] == ["v", "v"]
    assert columns["message_recorded"] == written(HI, HI)
    assert Columns(events_pb2.MessageRecorded, written(HI))["role"] == [content_pb2.ROLE_USER]


def test_a_message_without_a_field_keeps_its_place() -> None:
    other = events_pb2.Event(event_id="f", sender="s", message_recorded=HI)
    columns = Columns(events_pb2.Event, written(EVENT, other, EVENT))
    assert columns["user_id"] == ["u", "", "u"]
    assert columns["sender"] == ["", "s", ""]
    assert columns["message_recorded"] == [b"", *written(HI), b""]
    assert columns["channel"] == ["", "", ""]
    roles = Columns(events_pb2.MessageRecorded, written(HI, events_pb2.MessageRecorded()))["role"]
    assert roles == [content_pb2.ROLE_USER, 0]


def test_of_no_messages_every_column_is_empty() -> None:
    assert has_each_once([])
    assert Columns(events_pb2.Event, [])["user_id"] == []


@pytest.mark.parametrize(
    "more",
    [
        events_pb2.Event(user_id="v"),
        events_pb2.Event(user_id="u"),
        events_pb2.Event(tick=events_pb2.Tick()),
        events_pb2.Event(message_recorded=HI),
    ],
)
def test_an_event_with_a_field_twice_or_two_bodies_is_noticed(more: events_pb2.Event) -> None:
    usual, twice = written(EVENT, more)
    assert has_each_once([usual, usual])
    assert not has_each_once([usual, usual + twice, usual])


@pytest.mark.parametrize(
    "more",
    [
        events_pb2.MessageRecorded(role=content_pb2.ROLE_TOOL),
        events_pb2.MessageRecorded(content=HI.content),
        events_pb2.MessageRecorded(
            content=content_pb2.Content(encrypted=content_pb2.EncryptedContent(key_id="k"))
        ),
    ],
)
def test_a_message_that_says_something_twice_is_noticed_however_deep(
    more: events_pb2.MessageRecorded,
) -> None:
    usual, twice = written(HI, more)
    assert says_each_once([usual, usual])
    assert not says_each_once([usual, usual + twice, usual])


@pytest.mark.parametrize("roles", [b"\x01", b"\x01\x02"])
def test_a_role_that_is_written_as_a_list_is_noticed(roles: bytes) -> None:
    usual, listed = HI.SerializeToString(), b"\x0a" + bytes((len(roles),)) + roles
    assert events_pb2.MessageRecorded.FromString(listed).role == 0
    assert Columns(events_pb2.MessageRecorded, [listed])["role"] == list(roles)
    assert not says_each_once([usual, listed, usual])


def test_what_is_no_message_at_all_raises() -> None:
    for read in (has_each_once, says_each_once):
        with pytest.raises(DecodeError):
            read([b"\xff"])
    with pytest.raises(DecodeError):
        Columns(events_pb2.Event, [b"\xff"])
