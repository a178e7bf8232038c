"""Events survive the wire, and hostile records end as InvalidRecord and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.codec import InvalidRecord, body_digest, decode_event, encode_event
from parley.codec.events import MessageTemplate
from parley.codec.record import APPEND_TIME
from parley.codec.validity import check
from parley.events import Body, Content, Event, MessageRecorded, Policy, Role
from tests.unit.codec.samples import BODIES, EVENT_ID, NOON, events, record, sample

HELLO = MessageRecorded(Role.USER, Content("hello"))


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_every_body_survives_the_wire(body: Body) -> None:
    event = sample(body)
    assert decode_event(record(event)) == event


def test_microseconds_survive_the_wire() -> None:
    moment = NOON + timedelta(microseconds=1)
    event = sample(HELLO, event_time=moment, received_at=moment)
    assert decode_event(record(event)).event_time == moment


@pytest.mark.parametrize("shift", [timedelta(hours=2), -timedelta(hours=2)])
def test_a_gateway_whose_clock_is_wrong_is_held_to_the_brokers(shift: timedelta) -> None:
    event = sample(HELLO, received_at=NOON + shift, event_time=NOON + shift - timedelta(seconds=9))
    decoded = decode_event(record(event, broker_time=NOON))
    assert abs(decoded.received_at - NOON) == timedelta(minutes=5)
    assert decoded.received_at - decoded.event_time == timedelta(seconds=9)


def test_an_imported_event_keeps_its_past_time() -> None:
    long_ago = NOON - timedelta(days=8000)
    event = sample(HELLO, import_id="i", event_time=long_ago, received_at=NOON - timedelta(days=1))
    assert decode_event(record(event)).event_time == long_ago


def test_a_copied_record_is_judged_by_the_time_of_its_first_append() -> None:
    first = NOON - timedelta(days=30)
    event = sample(HELLO, received_at=first, event_time=first)
    stamp = str(round(first.timestamp() * 1_000_000)).encode()
    copied = record(event, broker_time=NOON, headers=((APPEND_TIME, stamp),))
    assert copied.append_time() == first
    assert decode_event(copied).received_at == first


def test_an_append_time_after_the_brokers_own_is_invalid() -> None:
    late = str(round((NOON + timedelta(seconds=1)).timestamp() * 1_000_000)).encode()
    with pytest.raises(InvalidRecord, match="append_time"):
        decode_event(record(sample(HELLO), headers=((APPEND_TIME, late),)))


def test_a_record_under_another_key_is_invalid() -> None:
    with pytest.raises(InvalidRecord, match="key"):
        decode_event(record(sample(HELLO), key=b"acme\0other"))


def test_copies_of_a_message_have_one_digest_whatever_their_envelope() -> None:
    again = sample(HELLO, received_at=NOON + timedelta(minutes=1), connection_id="other")
    assert body_digest(encode_event(sample(HELLO))) == body_digest(encode_event(again))


def test_another_text_has_another_digest() -> None:
    other = sample(MessageRecorded(Role.USER, Content("hello!")))
    assert body_digest(encode_event(sample(HELLO))) != body_digest(encode_event(other))


@given(st.binary(max_size=300))
def test_random_bytes_never_raise_anything_else(value: bytes) -> None:
    try:
        decode_event(record(sample(HELLO), value=value))
    except InvalidRecord as error:
        assert error.reason


@given(events, st.data())
def test_damaged_records_never_raise_anything_else(event: Event, data: st.DataObject) -> None:
    value = bytearray(encode_event(event))
    for _ in range(data.draw(st.integers(1, 4))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    try:
        decode_event(record(event, value=bytes(value)))
    except InvalidRecord as error:
        assert error.reason


ids = st.one_of(st.text(max_size=8), st.sampled_from(["\0", "x" * 512, "x" * 513, "ü" * 300]))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
moments = st.one_of(
    st.timedeltas(-timedelta(400), timedelta(400)).map(lambda span: NOON + span),
    st.sampled_from([datetime(1899, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)]),
)
messages = st.builds(
    MessageRecorded,
    st.sampled_from(Role),
    st.builds(
        Content, texts, st.none() | texts, st.sampled_from(["", "{}", '{"a":1}', "[]", "{", "\0"])
    ),
    texts,
    texts,
)
said = st.builds(
    Event,
    event_id=st.just(EVENT_ID),  # which is not the client's to say
    body=messages,
    event_time=moments,
    received_at=moments,
    tenant_id=st.just("t"),
    conversation_id=st.just("c"),
    session_id=texts,
    user_id=texts,
    sender=texts,
    client_id=texts,
    client_message_id=ids.filter(lambda text: text.isprintable() or "\0" in text),
    connection_id=texts,
    gateway_id=texts,
    channel=texts,
    occurred_at=st.none() | moments,
    sent_at=st.none() | moments,
    policy=st.builds(
        Policy,
        texts,
        st.integers(0, 9),
        st.timedeltas(timedelta(1), timedelta(9)),
        max_messages=st.integers(1, 9),
    ),
)


def encoded(template: MessageTemplate, event: Event) -> bytes:
    assert isinstance(event.body, MessageRecorded)
    return template.encode(
        event.event_id,
        event.client_message_id,
        event.body,
        event.event_time,
        event.received_at,
        event.occurred_at,
        event.sent_at,
    )


@given(said)
def test_a_template_writes_and_refuses_exactly_what_encoding_the_whole_event_does(
    event: Event,
) -> None:
    first = replace(
        event,
        body=HELLO,
        event_time=NOON,
        received_at=NOON,
        client_message_id="",
        occurred_at=None,
        sent_at=None,
    )
    try:
        check(event)
    except InvalidRecord:
        with pytest.raises(InvalidRecord):
            encoded(MessageTemplate(first), event)
        return
    again = record(event, value=encoded(MessageTemplate(first), event))
    assert decode_event(again) == decode_event(record(event))
    assert body_digest(again.value or b"") == body_digest(encode_event(event))


def test_a_source_that_cannot_write_anything_valid_has_no_template() -> None:
    with pytest.raises(InvalidRecord, match="id_too_long"):
        MessageTemplate(sample(HELLO, user_id="u" * 513))
