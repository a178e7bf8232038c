"""The WebSocket's language: which frames a client may send, and what they say."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

from parley.events import Content, MessageRecorded, Role
from services.gateway.core.fields import Fields
from services.gateway.core.refusals import Code, Refused

HELLO: Final = "hello"
TRANSCRIPT_UPDATE: Final = "transcript_update"
AI_RESPONSE: Final = "ai_response"
END: Final = "end"
PING: Final = "ping"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class RawFrame:
    """A frame of which it is known to whom an answer goes: its type, and its id if it has one."""

    type: str
    frame_id: str | None
    payload: Any


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the client's clock said, if anything."""

    occurred_at: datetime | None = None
    sent_at: datetime | None = None


NO_CLOCKS: Final = Clocks()


@dataclass(frozen=True, slots=True)
class Hello:
    """A client introduces itself; with a session id it comes back to that session."""

    client_id: str | None
    user_id: str
    channel: str
    metadata_json: str
    session_id: str | None
    # The one that its last `connected` told.
    generation: int | None


@dataclass(frozen=True, slots=True)
class Utterance:
    """A final utterance, which becomes a message under the id that its client chose."""

    client_message_id: str
    body: MessageRecorded
    clocks: Clocks = NO_CLOCKS


@dataclass(frozen=True, slots=True)
class End:
    """The client ends its session."""

    clocks: Clocks


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants to know whether somebody is there."""


Frame = Hello | Utterance | End | Ping


def open_frame(text: str) -> RawFrame:
    """Read a frame's outside; raises Refused, with nothing known to answer to."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Refused(Code.INVALID_JSON, "the frame is not valid JSON") from error
    if not isinstance(value, dict):
        raise Refused(Code.INVALID_FRAME, "the frame must be a JSON object")
    kind = value.get("type")
    payload = value.get("payload")
    return RawFrame(
        kind if isinstance(kind, str) else "",
        Fields(value).optional_text("id"),
        {} if payload is None else payload,
    )


def parse_frame(raw: RawFrame) -> Frame:
    """What a frame says; raises Refused."""
    parse = _PARSERS.get(raw.type)
    if parse is None:
        raise Refused(Code.UNKNOWN_TYPE, f"type must be one of {', '.join(_PARSERS)}")
    if not isinstance(raw.payload, dict):
        raise Refused(Code.INVALID_FRAME, "payload must be an object")
    return parse(raw)


def metric_type(kind: str) -> str:
    """The type as a metric's label: what clients make up is all one."""
    return kind if kind in _PARSERS else UNKNOWN


def refuse_silence(body: MessageRecorded) -> None:
    """Raise Refused for a message with neither text nor audio."""
    if not body.content.text.strip() and not body.content.audio_url:
        raise Refused(Code.INVALID_FRAME, "text must not be empty, unless there is an audio_url")


def _hello(raw: RawFrame) -> Hello:
    fields = Fields(raw.payload)
    session_id = fields.optional_text("session_id")
    generation = fields.whole_number("generation")
    if (session_id is None) != (generation is None):
        raise Refused(
            Code.INVALID_FRAME,
            "session_id and generation, both from `connected`, belong together",
        )
    return Hello(
        client_id=fields.optional_text("client_id"),
        user_id=fields.text("user_id"),
        channel=fields.text("channel"),
        metadata_json=fields.json_object("metadata"),
        session_id=session_id,
        generation=generation,
    )


def _transcript_update(raw: RawFrame) -> Utterance:
    fields = Fields(raw.payload)
    if not fields.flag("is_final", default=False):
        raise Refused(
            Code.NOT_SUPPORTED, "only final transcripts are recorded: send them with is_final true"
        )
    return _utterance(raw, fields.choice("role", Role, Role.USER))


def _ai_response(raw: RawFrame) -> Utterance:
    return _utterance(raw, Role.ASSISTANT)


def _utterance(raw: RawFrame, role: Role) -> Utterance:
    if raw.frame_id is None:
        raise Refused(
            Code.ID_REQUIRED, "a frame that is recorded needs an id, so that it can be sent again"
        )
    fields = Fields(raw.payload)
    content = Content(
        text=fields.text("text"),
        audio_url=fields.optional_text("audio_url"),
        metadata_json=fields.json_object("metadata"),
    )
    body = MessageRecorded(role, content, fields.text("utterance_id"), fields.text("language"))
    refuse_silence(body)
    return Utterance(raw.frame_id, body, _clocks(fields))


def _end(raw: RawFrame) -> End:
    return End(_clocks(Fields(raw.payload)))


def _ping(_raw: RawFrame) -> Ping:
    return Ping()


def _clocks(fields: Fields) -> Clocks:
    return Clocks(fields.moment("occurred_at"), fields.moment("sent_at"))


_PARSERS: Final[dict[str, Callable[[RawFrame], Frame]]] = {
    HELLO: _hello,
    TRANSCRIPT_UPDATE: _transcript_update,
    AI_RESPONSE: _ai_response,
    END: _end,
    PING: _ping,
}
