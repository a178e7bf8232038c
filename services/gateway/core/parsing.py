"""Reads a client's frames; what is wrong with one is named, never shown."""

from collections.abc import Callable
from typing import Final

import orjson

from parley.events import Content, ConversationState, MessageRecorded, Role
from parley.live import InterimTranscript, SpeechKind
from parley.position import InvalidPosition, Position
from services.gateway.core.fields import Fields, text_of
from services.gateway.core.frames import (
    NO_CLOCKS,
    Clocks,
    Deliver,
    End,
    Frame,
    Hello,
    Ping,
    RawFrame,
    Speech,
    Spoken,
    Transition,
    Utterance,
)
from services.gateway.core.refusals import Code, Refused

UNKNOWN: Final = "unknown"
# As of the log's rule of validity, which the core does not import.
MAX_ID_BYTES: Final = 512
# What an utterance may say beside its text and its role.
_MORE_THAN_TEXT: Final = frozenset(
    ("audio_url", "metadata", "utterance_id", "language", "occurred_at", "sent_at")
)

# The text, and that it is final.
_PLAIN_FIELDS: Final = 2


def open_frame(text: str) -> RawFrame:
    """Read a frame's outside; raises Refused, with nothing known to answer to."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused(Code.INVALID_JSON, "the frame is not valid JSON") from error
    if not isinstance(value, dict):
        raise Refused(Code.INVALID_FRAME, "the frame must be a JSON object")
    kind, payload = value.get("type"), value.get("payload")
    return RawFrame(
        kind if isinstance(kind, str) else "",
        text_of(value, "id") or None,
        {} if payload is None else payload,
        value.get("traceparent"),
    )


def parse_frame(raw: RawFrame) -> Frame:
    """What a frame says; raises Refused."""
    plain = _plain_text(raw) if raw.type == "transcript_update" else None
    if plain is not None:
        return plain
    parse = _PARSERS.get(raw.type)
    if parse is None:
        raise Refused(Code.UNKNOWN_TYPE, f"type must be one of {', '.join(_PARSERS)}")
    if not isinstance(raw.payload, dict):
        raise Refused(Code.INVALID_FRAME, "payload must be an object")
    return parse(raw, Fields(raw.payload))


def check_conversation_id(conversation_id: str) -> None:
    """Raise Refused for an id that could not be stored."""
    if "\0" in conversation_id:
        raise Refused(Code.INVALID_FRAME, "a conversation id must not hold a NUL character")
    if not 0 < len(conversation_id.encode(errors="replace")) <= MAX_ID_BYTES:
        raise Refused(
            Code.INVALID_FRAME, f"a conversation id has 1 to {MAX_ID_BYTES} bytes of UTF-8"
        )


def metric_type(kind: str) -> str:
    """The type as a metric's label: what clients make up is all one."""
    return kind if kind in _PARSERS else UNKNOWN


def refuse_silence(body: MessageRecorded) -> None:
    """Raise Refused for a message with neither text nor audio."""
    if not body.content.text.strip() and not body.content.audio_url:
        raise Refused(Code.INVALID_FRAME, "text must not be empty, unless there is an audio_url")


def _hello(_raw: RawFrame, fields: Fields) -> Hello:
    session_id = fields.optional_text("session_id")
    generation = fields.whole_number("generation")
    if (session_id is None) != (generation is None):
        raise Refused(
            Code.INVALID_FRAME,
            "session_id and generation, both from `connected`, belong together",
        )
    return Hello(
        token=fields.optional_text("token"),
        client_id=fields.optional_text("client_id"),
        user_id=fields.text("user_id"),
        channel=fields.text("channel"),
        metadata_json=fields.json_object("metadata"),
        session_id=session_id,
        generation=generation,
        position=_position(fields),
        deliver=fields.choice("deliver", Deliver, Deliver.ALL),
    )


def _position(fields: Fields) -> Position | None:
    text = fields.optional_text("position")
    try:
        return None if text is None else Position.parse(text)
    except InvalidPosition as error:
        raise Refused(Code.INVALID_FRAME, "position must be one that Parley gave out") from error


def _plain_text(raw: RawFrame) -> Utterance | None:
    """A user's final text and nothing else, as nearly all frames are; None for all others.

    What is None may be right or wrong: that is for the rules below to say, which read the same
    at three times the cost.
    """
    payload = raw.payload
    if raw.frame_id is None or not isinstance(payload, dict) or len(payload) != _PLAIN_FIELDS:
        return None
    text = payload.get("text")
    if payload.get("is_final") is not True or not isinstance(text, str):
        return None
    if not text or text.isspace() or "\0" in text:
        return None
    return Utterance(raw.frame_id, MessageRecorded(Role.USER, Content(text)))


def _transcript_update(raw: RawFrame, fields: Fields) -> Utterance | InterimTranscript:
    role = fields.choice("role", Role, Role.USER)
    if fields.flag("is_final", default=False):
        return _utterance(raw, fields, role)
    sequence = fields.whole_number("sequence")
    utterance_id = fields.text("utterance_id")
    if not utterance_id or sequence is None:
        raise Refused(
            Code.INVALID_FRAME, "an interim transcript needs an utterance_id and a sequence from 1"
        )
    return InterimTranscript(
        utterance_id, sequence, role, fields.text("text"), fields.text("language")
    )


def _ai_response(raw: RawFrame, fields: Fields) -> Utterance:
    return _utterance(raw, fields, Role.ASSISTANT)


def _utterance(raw: RawFrame, fields: Fields, role: Role) -> Utterance:
    if _MORE_THAN_TEXT.isdisjoint(raw.payload):
        # Most are no more than that, and to look for the rest takes half of the reading.
        plain = MessageRecorded(role, Content(fields.text("text")))
        refuse_silence(plain)
        return Utterance(_id(raw), plain)
    content = Content(
        text=fields.text("text"),
        audio_url=fields.optional_text("audio_url"),
        metadata_json=fields.json_object("metadata"),
    )
    body = MessageRecorded(role, content, fields.text("utterance_id"), fields.text("language"))
    refuse_silence(body)
    return Utterance(_id(raw), body, _clocks(fields))


def _speech_event(raw: RawFrame, fields: Fields) -> Speech:
    kind = fields.required_choice("kind", SpeechKind)
    # An agent is interrupted and plays back; a user begins and ends to speak.
    is_agents = kind not in (SpeechKind.SPEECH_STARTED, SpeechKind.SPEECH_ENDED)
    role = fields.choice("role", Role, Role.ASSISTANT if is_agents else Role.USER)
    target_id = fields.optional_text("target_id")
    target_event_id = fields.optional_text("target_event_id")
    spoken = None
    if kind is SpeechKind.INTERRUPTED and (target_id or target_event_id):
        spoken = Spoken(_id(raw), fields.text("text"), target_id, target_event_id, _clocks(fields))
    return Speech(kind, role, fields.text("utterance_id"), spoken)


def _state_update(raw: RawFrame, fields: Fields) -> Transition:
    return Transition(
        _id(raw),
        fields.required_choice("state", ConversationState),
        fields.text("cause"),
        fields.flag("reopen", default=False),
        _clocks(fields),
    )


def _end(_raw: RawFrame, fields: Fields) -> End:
    return End(_clocks(fields))


def _ping(_raw: RawFrame, _fields: Fields) -> Ping:
    return Ping()


def _id(raw: RawFrame) -> str:
    if raw.frame_id is None:
        raise Refused(
            Code.ID_REQUIRED, "a frame that is recorded needs an id, so that it can be sent again"
        )
    return raw.frame_id


def _clocks(fields: Fields) -> Clocks:
    occurred_at, sent_at = fields.moment("occurred_at"), fields.moment("sent_at")
    return Clocks(occurred_at, sent_at) if occurred_at or sent_at else NO_CLOCKS


_PARSERS: Final[dict[str, Callable[[RawFrame, Fields], Frame]]] = {
    "hello": _hello,
    "transcript_update": _transcript_update,
    "ai_response": _ai_response,
    "speech_event": _speech_event,
    "state_update": _state_update,
    "end": _end,
    "ping": _ping,
}
