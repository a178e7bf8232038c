"""docs/asyncapi.yaml says what the code does: topics, headers, and every field of every frame."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml
from google.protobuf.json_format import MessageToDict

from deploy.docs import asyncapi
from deploy.docs.frames import CLIENT_FRAMES, SERVER_FRAMES
from parley.codec import encode_event
from parley.codec.record import MESSAGE_NAME
from parley.events import (
    Content,
    ConversationState,
    Event,
    MessageRecorded,
    MessageRevised,
    RevisionKind,
    Role,
    StateRequested,
)
from parley.live import InterimTranscript, LiveFrame, SpeechEvent, SpeechKind
from parley.position import Position
from parley.topics import SPECS, Topic
from parley.wire import events_pb2
from services.gateway.connection import frame_socket
from services.gateway.core import parsing
from services.gateway.core.fields import Fields
from services.gateway.core.frames import RawFrame
from services.gateway.core.outgoing import ack_text, durable_frame, live_frame
from services.gateway.core.refusals import Code, Refused

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)
ID = "6f1d2b5e-4f0c-5b0e-9c51-8a3c6d0f7e21"
WRITTEN: dict[str, Any] = yaml.safe_load(asyncapi.PAGE.read_text())
SAMPLES: dict[str, dict[str, Any]] = {
    "hello": {"session_id": "s", "generation": 1},
    "transcript_update": {"text": "Hi", "metadata": {}},
    "ai_response": {"text": "Hi", "metadata": {}},
    "speech_event": {"kind": "interrupted", "target_id": "1", "text": "Hi"},
    "state_update": {"state": "idle"},
    "end": {},
    "ping": {},
}


def test_the_document_is_what_the_code_writes() -> None:
    assert asyncapi.PAGE.read_text() == asyncapi.text(), "run `make asyncapi`"


def test_every_topic_is_described_with_the_message_that_its_header_names() -> None:
    topics = {one["address"]: one for one in WRITTEN["channels"].values()}
    assert {one.topic.value for one in SPECS} < set(topics)
    for topic, (descriptor, headers) in asyncapi.MESSAGES.items():
        [message] = topics[topic.value]["messages"].values()
        assert dict(headers)[MESSAGE_NAME].decode() == descriptor.full_name == message["name"]
        assert "traceparent" in message["headers"]["properties"]
    assert set(asyncapi.MESSAGES) == set(Topic) - {Topic.DEAD_LETTERS}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_leads_somewhere() -> None:
    found = set(references(WRITTEN))
    assert found
    for reference in found:
        place = WRITTEN
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_an_event_is_as_its_schema_says() -> None:
    value = encode_event(event(MessageRecorded(Role.USER, Content("Hi", "https://a/b", "{}"))))
    names = set(MessageToDict(events_pb2.Event.FromString(value)))
    known = WRITTEN["components"]["schemas"]["parley.v1.Event"]["properties"]
    assert names
    assert names <= set(known)


def test_every_type_that_a_client_may_send_is_described_and_no_other() -> None:
    for kind in CLIENT_FRAMES:
        assert parsing.metric_type(kind) == kind
    with pytest.raises(Refused) as refused:
        parsing.parse_frame(RawFrame("?", None, {}))
    assert refused.value.message == f"type must be one of {', '.join(CLIENT_FRAMES)}"


@pytest.mark.parametrize("kind", CLIENT_FRAMES)
def test_what_the_gateway_reads_of_a_frame_is_what_is_described(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: set[str] = set()

    class Recording(Fields):
        def __init__(self, values: Mapping[str, Any]) -> None:
            super().__init__(_Noting(values, read))

    monkeypatch.setattr(parsing, "Fields", Recording)
    payloads: list[dict[str, Any]] = [SAMPLES[kind]]
    if kind == "transcript_update":
        payloads = [{**SAMPLES[kind], "is_final": True}, {"utterance_id": "u", "sequence": 1}]
    for payload in payloads:
        parsing.parse_frame(RawFrame(kind, "1", payload))
    assert read == set(CLIENT_FRAMES[kind])


class _Noting(dict[str, Any]):
    """A payload that knows of which fields it was asked."""

    def __init__(self, values: Mapping[str, Any], read: set[str]) -> None:
        super().__init__(values)
        self._read = read

    def get(self, name: str, default: Any = None) -> Any:
        self._read.add(name)
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        self._read.add(str(name))
        return super().__contains__(name)


def event(body: Any) -> Event:
    return Event(
        ID, body, NOW, NOW, "t", "c", "s", "u", "sender", "client", "1", "connection", "g", "ch"
    )


def sent() -> Iterator[str]:
    """A frame of every kind that the gateway makes of the log, of an ack and of a refusal."""
    content = Content("Hi", "https://a/b", '{"a": 1}')
    bodies: list[Any] = [
        MessageRecorded(Role.USER, content, "u", "en"),
        MessageRecorded(Role.ASSISTANT, content, "u", "en"),
        MessageRevised(ID, RevisionKind.INTERRUPTED, content),
        MessageRevised(ID, RevisionKind.CORRECTED, content),
        StateRequested(ConversationState.IDLE, ConversationState.LISTENING, "because"),
    ]
    for body in bodies:
        frame = durable_frame(event(body), Position("x", 0, 1), is_granted=True)
        assert frame is not None
        yield frame.text
    live: list[Any] = [
        InterimTranscript("u", 1, Role.USER, "Hi", "en"),
        InterimTranscript("u", 1, Role.ASSISTANT, "Hi", "en"),
        SpeechEvent(SpeechKind.SPEECH_STARTED, Role.USER, "u"),
    ]
    for body in live:
        shown = live_frame(LiveFrame("t", "c", "g", NOW, body, "s", "u", "sender", "client"))
        assert shown is not None
        yield shown.text
    yield ack_text("1", ID, "p", 0).decode()
    lost = Refused(
        Code.TRANSITION_LOST,
        "lost",
        1,
        state=ConversationState.IDLE,
        allowed=[ConversationState.ERROR],
    )
    yield frame_socket._error_text(RawFrame("state_update", "1", {}), lost)


def test_what_the_gateway_sends_is_what_is_described() -> None:
    fields: dict[str, set[str]] = {}
    for text in sent():
        frame = json.loads(text)
        assert set(frame) <= {"type", "id", "position", "payload", "ts"}
        fields.setdefault(frame["type"], set()).update(frame["payload"])
    # Connections' own status and pongs come from their sockets: integration tests read those.
    assert set(SERVER_FRAMES) - set(fields) == {"connection_status", "pong"}
    for kind, found in fields.items():
        assert found == set(SERVER_FRAMES[kind]), kind
