"""What a client may send, and what becomes of everything else."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.events import Role
from parley.live import InterimTranscript
from services.gateway.core.frames import Deliver, End, Hello, Ping, RawFrame, Utterance
from services.gateway.core.parsing import metric_type, open_frame, parse_frame
from services.gateway.core.refusals import Code, Refused

FIELDS = [
    "text",
    "role",
    "is_final",
    "audio_url",
    "language",
    "metadata",
    "utterance_id",
    "occurred_at",
    "sent_at",
    "client_id",
    "user_id",
    "channel",
    "session_id",
    "generation",
    "position",
    "deliver",
    "sequence",
    "kind",
    "target_id",
    "target_event_id",
    "state",
    "cause",
    "reopen",
    "token",
]
TYPES = (
    "hello",
    "transcript_update",
    "ai_response",
    "end",
    "ping",
    "state_update",
    "speech_event",
    "",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["user", "tool", "2026-01-31T12:00:00Z", "0001-01-01T00:00:00+14:00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
FRAMES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(TYPES) | VALUES,
        "id": st.text() | VALUES,
        "payload": st.dictionaries(st.sampled_from(FIELDS), VALUES) | VALUES,
        "ts": VALUES,
    },
)


def frame(kind: str, frame_id: str | None = None, **payload: Any) -> Any:
    value = {"type": kind, "payload": payload}
    return parse_frame(open_frame(json.dumps({**value, "id": frame_id} if frame_id else value)))


def refusal(kind: str, frame_id: str | None = None, **payload: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        frame(kind, frame_id, **payload)
    return caught.value


NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("audio_url", "a", lambda one: one.body.content.audio_url == "a"),
        ("metadata", {"a": 1}, lambda one: one.body.content.metadata_json == '{"a":1}'),
        ("utterance_id", "a", lambda one: one.body.utterance_id == "a"),
        ("language", "de", lambda one: one.body.language == "de"),
        ("occurred_at", NOON.isoformat(), lambda one: one.clocks.occurred_at == NOON),
        ("sent_at", NOON.isoformat(), lambda one: one.clocks.sent_at == NOON),
        ("role", "tool", lambda one: one.body.role is Role.TOOL),
    ],
)
def test_what_alone_stands_beside_the_text_is_kept(
    name: str, value: Any, kept: Callable[[Utterance], bool]
) -> None:
    payload = {"text": "Hi", "is_final": True, name: value}
    said = json.dumps({"type": "transcript_update", "id": "1", "payload": payload})
    found = parse_frame(open_frame(said))
    assert isinstance(found, Utterance)
    assert kept(found)


def test_a_final_transcript_becomes_a_message_of_the_user() -> None:
    said = frame("transcript_update", "7", text="hello", is_final=True, language="en")
    assert isinstance(said, Utterance)
    assert said.client_message_id == "7"
    assert (said.body.role, said.body.content.text, said.body.language) == (
        Role.USER,
        "hello",
        "en",
    )


def test_an_answer_becomes_a_message_of_the_assistant_whatever_role_it_names() -> None:
    assert frame("ai_response", "7", text="hello", role="user").body.role is Role.ASSISTANT


def test_an_interim_transcript_names_its_utterance_and_its_place_in_it() -> None:
    said = frame("transcript_update", text="hel", utterance_id="u", sequence=2)
    assert said == InterimTranscript("u", 2, Role.USER, "hel")
    assert refusal("transcript_update", text="hel", utterance_id="u").code is Code.INVALID_FRAME
    assert refusal("transcript_update", text="hel", sequence=1).code is Code.INVALID_FRAME


def test_what_is_recorded_needs_an_id() -> None:
    assert refusal("ai_response", text="hello").code is Code.ID_REQUIRED


@pytest.mark.parametrize("text", ["", "  \n", None])
def test_a_message_that_says_nothing_is_refused(text: str | None) -> None:
    assert refusal("ai_response", "7", text=text).code is Code.INVALID_FRAME


def test_a_message_may_be_audio_alone() -> None:
    said = frame("ai_response", "7", audio_url="https://example.com/a.ogg")
    assert said.body.content.audio_url == "https://example.com/a.ogg"


def test_metadata_is_kept_as_json() -> None:
    said = frame("ai_response", "7", text="x", metadata={"a": [1, {"b": None}]})
    assert json.loads(said.body.content.metadata_json) == {"a": [1, {"b": None}]}


def test_metadata_nested_too_deeply_is_refused() -> None:
    nested: Any = {}
    for _ in range(300):
        nested = {"a": nested}
    assert refusal("ai_response", "7", text="x", metadata=nested).code is Code.INVALID_FRAME


def test_times_are_read_in_any_offset() -> None:
    said = frame("ai_response", "7", text="x", occurred_at="2026-01-31T13:00:00.5+01:00")
    assert said.clocks.occurred_at == datetime(2026, 1, 31, 12, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00", "yesterday", "", 7, "0001-01-01T00:00:00+14:00"]
)
def test_a_time_that_is_none_or_has_no_offset_is_refused_or_absent(text: Any) -> None:
    if text == "":
        assert frame("ai_response", "7", text="x", occurred_at=text).clocks.occurred_at is None
        return
    refused = refusal("ai_response", "7", text="x", occurred_at=text)
    assert refused.code is Code.INVALID_FRAME
    assert "occurred_at" in refused.message


def test_a_role_that_nobody_has_is_refused_by_name() -> None:
    refused = refusal("transcript_update", "7", text="x", is_final=True, role="king")
    assert "role must be one of user" in refused.message


def test_a_hello_may_be_empty() -> None:
    assert frame("hello") == Hello(None, None, "", "", "", None, None, None, Deliver.ALL)


def test_a_client_comes_back_with_its_session_and_generation_or_with_neither() -> None:
    assert frame("hello", session_id="s", generation=3).generation == 3
    assert refusal("hello", session_id="s").code is Code.INVALID_FRAME
    assert refusal("hello", generation=1).code is Code.INVALID_FRAME


@pytest.mark.parametrize("generation", [0, -1, 1.5, True, "1", 2**62])
def test_a_generation_is_a_whole_number_from_one(generation: Any) -> None:
    assert refusal("hello", session_id="s", generation=generation).code is Code.INVALID_FRAME


def test_end_and_ping_need_no_id() -> None:
    assert isinstance(frame("end"), End)
    assert isinstance(frame("ping"), Ping)


def test_a_wrong_payload_is_answered_to_the_frames_id() -> None:
    raw = open_frame('{"type": "ai_response", "id": "7", "payload": []}')
    assert raw.frame_id == "7"
    with pytest.raises(Refused, match="payload"):
        parse_frame(raw)


@pytest.mark.parametrize(
    "text",
    ["", "{", "nul", '"text"', "[]", '{"id": 5}', '{"type": "\\ud800"}', "[" * 5000, '{"a": NaN}'],
)
def test_what_is_no_frame_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        open_frame(text)


def test_types_that_clients_make_up_are_one_label() -> None:
    assert metric_type("x" * 100) == metric_type("") == "unknown"
    assert metric_type("hello") == "hello"


@given(st.text() | FRAMES.map(json.dumps))
def test_anything_at_all_is_read_or_refused(text: str) -> None:
    try:
        parse_frame(open_frame(text))
    except Refused as refused:
        assert refused.message
        assert not refused.is_retryable


@given(
    st.none() | st.just("") | st.text(),
    VALUES | st.text() | st.sampled_from(["", " \t", "a\0"]),
    VALUES,
)
def test_a_text_with_nothing_beside_it_reads_as_with_its_default_written_out(
    frame_id: str | None, text: Any, is_final: Any
) -> None:
    def read(**more: Any) -> object:
        payload = {"text": text, "is_final": is_final, **more}
        try:
            return parse_frame(RawFrame("transcript_update", frame_id or None, payload))
        except Refused as refused:
            return refused.code, refused.message

    for final in (is_final, True):
        is_final = final
        # Of the two the longer one is read field by field.
        assert read() == read(role="user")
