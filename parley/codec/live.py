"""Records of parley.live.v1 to live frames and back."""

from typing import Any, Final

from google.protobuf.message import DecodeError

from parley.codec.record import Header, InvalidRecord, enum_name, headers_for
from parley.codec.times import set_timestamp, to_datetime
from parley.events import Role
from parley.live import InterimTranscript, LiveBody, LiveFrame, Presence, SpeechEvent, SpeechKind
from parley.wire import content_pb2, live_pb2

LIVE_HEADERS: Final[tuple[Header, ...]] = headers_for("parley.v1.LiveFrame")

_TEXT_FIELDS: Final = (
    "tenant_id",
    "conversation_id",
    "session_id",
    "user_id",
    "sender",
    "client_id",
    "connection_id",
    "gateway_id",
)


def encode_live(frame: LiveFrame) -> bytes:
    """The record's value."""
    wire = live_pb2.LiveFrame()
    for name in _TEXT_FIELDS:
        setattr(wire, name, getattr(frame, name))
    set_timestamp(wire.received_at, frame.received_at)
    match frame.body:
        case InterimTranscript() as interim:
            wire.interim_transcript.utterance_id = interim.utterance_id
            wire.interim_transcript.sequence = interim.sequence
            wire.interim_transcript.role = _role_number(interim.role)
            wire.interim_transcript.text = interim.text
            wire.interim_transcript.language = interim.language
        case SpeechEvent() as speech:
            wire.speech_event.kind = _kind_number(speech.kind)
            wire.speech_event.role = _role_number(speech.role)
            wire.speech_event.utterance_id = speech.utterance_id
        case Presence() as presence:
            wire.presence.open_connections = presence.open_connections
    return wire.SerializeToString()


def decode_live(value: bytes | None) -> LiveFrame:
    """The frame of a record; raises InvalidRecord."""
    try:
        wire = live_pb2.LiveFrame.FromString(value or b"")
    except DecodeError as error:
        raise InvalidRecord("protobuf", "the value is not a LiveFrame") from error
    names = {name: getattr(wire, name) for name in _TEXT_FIELDS}
    return LiveFrame(received_at=to_datetime(wire.received_at), body=_body(wire), **names)


def _body(wire: live_pb2.LiveFrame) -> LiveBody:
    match wire.WhichOneof("body"):
        case "interim_transcript":
            interim = wire.interim_transcript
            role = _role(interim.role)
            return InterimTranscript(
                interim.utterance_id, interim.sequence, role, interim.text, interim.language
            )
        case "speech_event":
            speech = wire.speech_event
            kind = enum_name("SPEECH_EVENT_KIND_", live_pb2.SpeechEventKind, speech.kind)
            return SpeechEvent(SpeechKind(kind), _role(speech.role), speech.utterance_id)
        case "presence":
            return Presence(wire.presence.open_connections)
        case _:
            raise InvalidRecord("body", "a live frame without a known body")


def _role(number: int) -> Role:
    return Role(enum_name("ROLE_", content_pb2.Role, number))


def _kind_number(kind: SpeechKind) -> Any:
    return live_pb2.SpeechEventKind.Value(f"SPEECH_EVENT_KIND_{kind.upper()}")


def _role_number(role: Role) -> Any:
    return content_pb2.Role.Value(f"ROLE_{role.upper()}")
