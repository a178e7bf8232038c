"""What the log may hold and what ends as a dead letter, rule by rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley.codec import InvalidRecord, decode_event
from parley.codec.record import APPEND_TIME
from parley.events import (
    Content,
    EndReason,
    MessageRecorded,
    MessageRevised,
    Policy,
    RecordRejected,
    RevisionKind,
    Role,
    SessionEnded,
    SessionStarted,
)
from parley.wire import events_pb2
from tests.unit.codec.samples import NOON, OTHER_ID, record, sample

FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, tzinfo=UTC)
HELLO = MessageRecorded(Role.USER, Content("hello"))


def reason(**fields: Any) -> str:
    event = sample(fields.pop("body", HELLO), **fields)
    with pytest.raises(InvalidRecord) as caught:
        decode_event(record(event))
    return caught.value.reason


def said(text: str = "", metadata_json: str = "") -> MessageRecorded:
    return MessageRecorded(Role.USER, Content(text, None, metadata_json))


def test_a_nul_is_refused_wherever_it_stands() -> None:
    assert reason(body=said("a\0b")) == "nul"
    assert reason(body=said(metadata_json='{"a":"\\u0000"}')) == "nul"
    assert reason(body=said(metadata_json='{"\\u0000":[1]}')) == "nul"
    assert reason(session_id="s\0") == "nul"
    assert reason(user_id="u\0") == "nul"


def test_an_escaped_backslash_before_u0000_is_no_nul() -> None:
    body = said(metadata_json='{"a":"\\\\u0000"}')
    assert decode_event(record(sample(body))).body == body


@pytest.mark.parametrize(
    "metadata",
    ["[1]", "1", '"a"', "{", '{"a":NaN}', '{"a":1e999999}', '{"a":"\\ud800"}', "{'a':1}"],
)
def test_metadata_that_is_no_json_object_is_refused(metadata: str) -> None:
    assert reason(body=said(metadata_json=metadata)) == "json"


@pytest.mark.parametrize(
    "number",
    [
        f"0.{'1' * 16_384}",
        f"-0.{'1' * 16_000}e-384",
        f"1{'0' * 131_072}",
        # Python makes no number of more than 4,300 digits, zeros among them.
        f"0e{'9' * 5_000}",
        f"1e-{'9' * 5_000}",
        f"0e-{'0' * 5_000}20000",
        '["\\\\",1e-20000]',
    ],
)
def test_a_number_that_the_database_cannot_hold_is_refused(number: str) -> None:
    assert reason(body=said(metadata_json=f'{{"a":{number}}}')) == "json"


@pytest.mark.parametrize(
    "number",
    [
        f"0.{'1' * 16_383}",
        f"0.{'1' * 16_000}e-383",
        f"0.{'1' * 16_683}E+300",
        f'"{"1" * 17_000}"',
        f"1e{'0' * 5_000}1",
        '"\\"1e-20000"',
    ],
)
def test_a_long_number_that_it_holds_is_none_to_refuse(number: str) -> None:
    decode_event(record(sample(said(metadata_json=f'{{"a":{number}}}'))))


def test_how_deep_metadata_may_be_does_not_depend_on_who_asks() -> None:
    deep = '{"a":' + "[" * 1_000 + "1e-0001" + "]" * 1_000 + "}"

    def ask(frames: int) -> None:
        if frames:
            ask(frames - 1)
        else:
            decode_event(record(sample(said(metadata_json=deep))))

    ask(0)
    ask(100)


def test_metadata_that_is_10_000_deep_is_refused() -> None:
    deep = '{"a":' + "[" * 10_000 + "]" * 10_000 + "}"
    assert reason(body=said(metadata_json=deep)) == "json"


@pytest.mark.parametrize(
    "event_id", ["", "x", OTHER_ID.upper(), f"{{{OTHER_ID}}}", OTHER_ID + "\n"]
)
def test_an_event_id_that_is_no_lower_case_uuid_is_refused(event_id: str) -> None:
    assert reason(event_id=event_id) == "event_id"


def test_a_revision_must_name_its_target() -> None:
    body = MessageRevised("nothing", RevisionKind.CORRECTED, Content("x"))
    assert reason(body=body) == "event_id"


def test_a_conversation_must_be_named() -> None:
    assert reason(tenant_id="") == "missing_id"
    assert reason(conversation_id="") == "missing_id"


def test_a_session_event_must_name_its_session_and_generation() -> None:
    assert reason(body=SessionStarted(), session_id="") == "missing_id"
    assert reason(body=SessionEnded(0, EndReason.EXPLICIT)) == "generation"


def test_an_id_longer_than_512_bytes_is_refused() -> None:
    assert reason(user_id="é" * 257) == "id_too_long"
    decode_event(record(sample(HELLO, user_id="é" * 256)))


@pytest.mark.parametrize(
    "policy",
    [
        Policy(idle_gap=timedelta(0)),
        Policy(idle_gap=timedelta(days=367)),
        Policy(max_messages=0),
        Policy(max_duration=timedelta(0)),
    ],
)
def test_a_policy_that_could_not_be_followed_is_refused(policy: Policy) -> None:
    assert reason(policy=policy) == "policy"


@pytest.mark.parametrize("year", [1899, 2200, 9999])
def test_a_time_outside_1900_to_2200_is_refused(year: int) -> None:
    moment = datetime(year, 12, 31, tzinfo=UTC)
    assert reason(event_time=moment, import_id="i") == "time"


def test_an_event_without_its_times_is_refused() -> None:
    wire = events_pb2.Event.FromString(record(sample(HELLO)).value or b"")
    wire.ClearField("event_time")
    with pytest.raises(InvalidRecord, match="time"):
        decode_event(record(sample(HELLO), value=wire.SerializeToString()))


@pytest.mark.parametrize(
    ("received", "happened"),
    [(FIRST, LAST), (LAST, FIRST)],
)
def test_times_that_no_calendar_holds_are_refused(received: datetime, happened: datetime) -> None:
    assert reason(received_at=received, event_time=happened) == "time"


@pytest.mark.parametrize("stamp", [None, b"", b"soon", b"-62135596800000000", b"9" * 30])
def test_an_append_time_header_that_is_no_time_never_raises_anything_else(stamp: Any) -> None:
    copied = record(sample(HELLO), headers=((APPEND_TIME, stamp),))
    with pytest.raises(InvalidRecord):
        decode_event(copied)


def test_a_rejection_must_name_its_event() -> None:
    assert reason(body=RecordRejected(7, "nothing", "refused")) == "event_id"


def test_the_id_of_a_policy_is_an_id() -> None:
    assert reason(policy=Policy(policy_id="a\0")) == "nul"
    assert reason(policy=Policy(policy_id="a" * 600)) == "id_too_long"


def test_a_number_that_postgresql_cannot_hold_is_refused() -> None:
    assert reason(body=said(metadata_json='{"a":1e-20000}')) == "json"
    body = said(metadata_json='{"a":"1e-20000","b":1e-300}')
    assert decode_event(record(sample(body))).body == body


def test_a_body_of_a_later_release_is_refused() -> None:
    wire = events_pb2.Event.FromString(record(sample(HELLO)).value or b"")
    wire.ClearField("message_recorded")
    with pytest.raises(InvalidRecord, match="body"):
        decode_event(record(sample(HELLO), value=wire.SerializeToString()))


def test_encrypted_content_is_refused_by_this_version() -> None:
    wire = events_pb2.Event.FromString(record(sample(HELLO)).value or b"")
    wire.message_recorded.content.encrypted.key_id = "k"
    with pytest.raises(InvalidRecord, match="content"):
        decode_event(record(sample(HELLO), value=wire.SerializeToString()))


def test_a_record_without_a_value_is_refused() -> None:
    with pytest.raises(InvalidRecord, match="no_value"):
        decode_event(record(sample(HELLO))._replace(value=None))


def test_the_rule_does_not_ask_the_clock() -> None:
    old = NOON - timedelta(days=20_000)
    event = sample(HELLO, event_time=old, received_at=old)
    assert decode_event(record(event, broker_time=old)).event_time == old
