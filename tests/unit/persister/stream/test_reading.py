"""Events that are read many at once become the rows that each of them alone becomes."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import Header, InvalidRecord, LogRecord, encode_event, usual
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME
from parley.codec.wire_fields import length, tag
from parley.events import Content, Event, Policy, Tick
from parley.wire import events_pb2
from services.persister.core.events import event_row, fold
from services.persister.core.rows import Received, ReceivedMessage
from services.persister.stream import reading
from services.persister.stream.reading import each, read_event, read_events
from tests.unit.codec.samples import NOON, events
from tests.unit.codec.usual import (
    HELLO,
    MESSAGE,
    as_read,
    changes,
    compiled,
    damaged,
    headers,
    several_in_one,
)

USUAL = as_read(MESSAGE)

RECORDED = events_pb2.Event.FromString(encode_event(MESSAGE)).message_recorded
BODY = RECORDED.SerializeToString()
LANGUAGE = events_pb2.MessageRecorded(language="fr?").SerializeToString()
CONTENT = events_pb2.MessageRecorded(content=RECORDED.content).SerializeToString()
RECORDED.ClearField("language")
NO_LANGUAGE = RECORDED.SerializeToString()
RECORDED.ClearField("role")
# Protobuf would write this one with as many bytes more as LANGUAGE has.
ROLE_BELOW_0 = b"\x08\xff\xff\xff\xff\x0f" + RECORDED.SerializeToString()
RECORDED.ClearField("content")
NO_CONTENT = RECORDED.SerializeToString()


def told(one: Received | InvalidRecord | None) -> object:
    """All that the tables and the handler get to know of a record."""
    if one is None:
        return None
    if isinstance(one, InvalidRecord):
        return one.reason, one.detail
    facts = (one.key, one.place, one.event_id, one.conversation_id, one.received_at, one.import_id)
    return facts, event_row(one), fold([one])


def check_alike(records: list[LogRecord]) -> None:
    """Both ways tell the same, down to the types of what is copied into tables."""
    together = read_events(records, "inc")
    alone = each(read_event)(records, "inc")
    assert [repr(told(one)) for one in together] == [repr(told(one)) for one in alone]
    assert list(map(told, together)) == list(map(told, alone))


@given(st.lists(st.tuples(changes, headers), min_size=1, max_size=4))
def test_whatever_messages_say_both_ways_make_the_same_rows(
    every: list[tuple[dict[str, object], tuple[Header, ...]]],
) -> None:
    check_alike(
        [
            as_read(replace(MESSAGE, **fields), headers=headers, offset=offset)  # type: ignore[arg-type]
            for offset, (fields, headers) in enumerate(every)
        ]
    )


@given(damaged(), events)
def test_of_damaged_records_both_ways_make_the_same_rows(record: LogRecord, event: Event) -> None:
    check_alike([USUAL, record, as_read(event)])


@given(several_in_one())
def test_of_events_that_are_written_one_after_the_other_both_ways_make_the_same_rows(
    records: list[LogRecord],
) -> None:
    for record in records:
        check_alike([record])


@compiled
@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"occurred_at": None, "sent_at": None, "event_time": NOON},
        {"import_id": "i", "event_time": NOON - timedelta(8_000)},
        {"session_id": "", "user_id": "", "channel": ""},
        {"body": HELLO._replace(language="", utterance_id="", content=Content("a" * 5_000))},
        {"body": HELLO._replace(content=Content("Guten Tag — 你好", "https://a/b.ogg"))},
        {"policy": Policy("brief", 3, idle_gap=timedelta(seconds=10), grace=timedelta(0))},
    ],
)
def test_a_usual_message_is_read_as_its_row(changed: dict[str, object]) -> None:
    given = [USUAL, as_read(replace(MESSAGE, **changed))]  # type: ignore[arg-type]
    assert all(isinstance(one, ReceivedMessage) for one in read_events(given, "inc"))
    check_alike(given)


@compiled
def test_others_leave_the_messages_beside_them_usual() -> None:
    invalid = as_read(replace(MESSAGE, user_id="\0"))
    copy = as_read(MESSAGE, headers=(*EVENT_HEADERS, (APPEND_TIME, b"1")))
    tick = as_read(replace(MESSAGE, body=Tick(NOON)))
    given = [USUAL, invalid, USUAL, copy, tick, USUAL]
    assert [isinstance(one, ReceivedMessage) for one in read_events(given, "inc")] == [
        True,
        False,
        True,
        False,
        False,
        True,
    ]
    check_alike(given)


def with_body(body: bytes) -> LogRecord:
    """The usual message's record with those bytes as what was recorded."""
    wire = events_pb2.Event.FromString(encode_event(MESSAGE))
    wire.ClearField("message_recorded")
    field = tag(events_pb2.Event, "message_recorded")
    return as_read(MESSAGE, value=wire.SerializeToString() + field + length(len(body)) + body)


@pytest.mark.parametrize(
    ("twice", "never"),
    [
        (with_body(LANGUAGE + BODY), with_body(NO_LANGUAGE)),
        (with_body(BODY + CONTENT), with_body(NO_CONTENT)),
        (with_body(LANGUAGE + BODY), with_body(ROLE_BELOW_0)),
    ],
)
def test_what_a_message_says_twice_is_not_said_by_its_neighbour(
    twice: LogRecord, never: LogRecord
) -> None:
    check_alike([twice, never])
    check_alike([never, twice, USUAL])


def test_without_a_compiled_reader_the_same_rows_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [USUAL, as_read(replace(MESSAGE, user_id="ü")), as_read(replace(MESSAGE, user_id="\0"))]
    rows = list(map(told, read_events(given, "inc")))
    monkeypatch.setattr(usual, "MessageReader", None)
    monkeypatch.setattr(reading, "_messages_in", usual.message_reader((tuple,), EVENT_HEADERS))
    assert [isinstance(one, ReceivedMessage) for one in read_events(given, "inc")] == [False] * 3
    assert list(map(told, read_events(given, "inc"))) == rows


def test_of_no_records_nothing_is_read() -> None:
    assert read_events([], "inc") == []
