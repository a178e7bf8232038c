"""A usual message, what may be unusual about one, and its record as a gateway writes it."""

from datetime import timedelta

import pytest
from hypothesis import strategies as st

from parley.codec import LogRecord, encode_event
from parley.codec.events import EVENT_HEADERS
from parley.codec.record import APPEND_TIME, SOURCE_POSITION
from parley.codec.usual import IS_COMPILED
from parley.events import Content, Event, MessageRecorded, Policy, Role
from tests.unit.codec.samples import EVENT_ID, NOON, OTHER_ID, events, record, sample

HELLO = MessageRecorded(Role.USER, Content("hello", None, '{"n":1}'), "u-1", "en")
MESSAGE = sample(HELLO, sent_at=NOON - timedelta(seconds=1, microseconds=7))

compiled = pytest.mark.skipif(not IS_COMPILED, reason="there was no C compiler")

texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    st.sampled_from(["", "\0", "x" * 512, "x" * 513, "ü" * 256, "ü" * 257]),
)
moments = st.one_of(
    st.timedeltas(-timedelta(minutes=6), timedelta(minutes=6)).map(lambda span: NOON + span),
    st.sampled_from([NOON, NOON - timedelta(1), NOON + timedelta(minutes=5)]),
    st.datetimes().map(lambda moment: moment.replace(tzinfo=NOON.tzinfo)),
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "event_id": st.sampled_from([OTHER_ID, "", EVENT_ID.upper(), EVENT_ID + "\n"]),
        "event_time": moments,
        "received_at": moments,
        "tenant_id": texts,
        "conversation_id": texts,
        "session_id": texts,
        "user_id": texts,
        "client_message_id": texts,
        "channel": texts,
        "occurred_at": st.none() | moments,
        "sent_at": st.none() | moments,
        "import_id": st.none() | texts,
        "policy": st.builds(
            Policy,
            policy_id=texts,
            version=st.integers(0, 2),
            idle_gap=st.sampled_from([timedelta(0), timedelta(1), timedelta(367)]),
            max_messages=st.integers(0, 2),
        ),
        "body": st.builds(
            MessageRecorded,
            st.sampled_from(Role),
            st.builds(
                Content,
                texts,
                st.none() | texts,
                st.sampled_from(["", "{}", "[]", "{", '{"a":"\\u0000"}']),
            ),
            texts,
            texts,
        ),
    },
)
headers = st.sampled_from(
    [
        EVENT_HEADERS,
        (),
        (*EVENT_HEADERS, (APPEND_TIME, b"1")),
        (*EVENT_HEADERS, (SOURCE_POSITION, b"x")),
        ((APPEND_TIME, b"9999999999999999"), *EVENT_HEADERS[1:]),
    ]
)


def as_read(event: Event, *, value: bytes | None = None, **fields: object) -> LogRecord:
    """The event's record as a gateway writes it, or what came of it."""
    given = record(event, value=encode_event(event) if value is None else value)
    return given._replace(**{"headers": EVENT_HEADERS, **fields})  # type: ignore[arg-type]


@st.composite
def damaged(draw: st.DrawFn) -> LogRecord:
    """A record of an event, or of the usual message, of whose bytes a few are others."""
    value = bytearray(encode_event(draw(st.one_of(events, st.just(MESSAGE)))))
    for _ in range(draw(st.integers(0, 3))):
        value[draw(st.integers(0, len(value) - 1))] = draw(st.integers(0, 255))
    return as_read(MESSAGE, value=bytes(value))


@st.composite
def several_in_one(draw: st.DrawFn) -> list[LogRecord]:
    """Records of several events one after the other; the usual message is the last or the first."""
    value = b"".join(map(encode_event, draw(st.lists(events, min_size=2, max_size=3))))
    usual = encode_event(MESSAGE)
    return [as_read(MESSAGE, value=one) for one in (value + usual, usual + value)]
