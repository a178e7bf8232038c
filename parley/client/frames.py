"""What the gateway says, frame by frame, as values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import orjson


@dataclass(frozen=True, slots=True)
class Message:
    """A final utterance, durable; `role` is user, assistant, system or tool."""

    event_id: str
    position: str
    role: str
    text: str
    # The id that its sender gave it.
    id: str = ""
    client_id: str = ""
    user_id: str = ""
    session_id: str = ""
    audio_url: str | None = None
    language: str = ""
    utterance_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The conversation went from one state to another, for everybody."""

    event_id: str
    position: str
    state: str
    previous_state: str = ""
    cause: str = ""
    client_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A message was cut short; `text` is what was really spoken of it."""

    event_id: str
    position: str
    target_event_id: str
    text: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Interim:
    """What somebody is saying right now; a higher `sequence` replaces a lower one."""

    text: str
    role: str = ""
    utterance_id: str = ""
    sequence: int = 0
    language: str = ""
    client_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """Somebody began or stopped to speak or to be heard; live only."""

    kind: str
    role: str = ""
    utterance_id: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """How many connections the conversation has now."""

    open_connections: int


@dataclass(frozen=True, slots=True)
class Connected:
    """The gateway took the hello; `snapshot` is None where it could not be read."""

    session_id: str
    generation: int
    client_id: str = ""
    position: str = ""
    open_connections: int = 0
    snapshot: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """Whether everything since the last position follows; if not, frames come after `position`."""

    recovered: bool
    reason: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames are missing here, and why: read the history to have them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Draining:
    """The gateway is about to close; come back after so many milliseconds."""

    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """A frame is durable: under this event id, at this position."""

    id: str
    event_id: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The gateway did not take something; `id` names the frame, if it had one."""

    code: str
    message: str = ""
    retryable: bool = False
    id: str | None = None
    retry_after_ms: int | None = None
    # Of a refused transition: where the conversation is, and where it may go.
    state: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame of a newer gateway, or nothing that makes sense."""

    type: str = ""


Durable = Message | StateChanged | Interrupted
Heard = Durable | Interim | Speech | Presence | Resumed | Gap | Problem
Frame = Heard | Connected | Draining | Ack | Unknown


def parse(text: str | bytes) -> Frame:
    """What a frame of the gateway says; what cannot be read is Unknown, never an error."""
    try:
        value = orjson.loads(text)
        kind, payload = value["type"], value.get("payload") or {}
        read = _READERS.get(kind)
        return (
            Unknown(kind) if read is None else read(_Fields(payload), value.get("position") or "")
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        return Unknown()


class _Fields:
    """The fields of a payload; null is as good as missing."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def text(self, name: str) -> str:
        return str(self._values.get(name) or "")

    def number(self, name: str) -> int:
        return int(self._values.get(name) or 0)


def _transcript(fields: _Fields, position: str) -> Frame:
    if fields.get("is_final"):
        return _message(fields, position)
    return Interim(
        text=fields.text("text"),
        role=fields.text("role") or "user",
        utterance_id=fields.text("utterance_id"),
        sequence=fields.number("sequence"),
        language=fields.text("language"),
        client_id=fields.text("client_id"),
        user_id=fields.text("user_id"),
    )


def _response(fields: _Fields, position: str) -> Frame:
    return _message(fields, position, "assistant")


def _message(fields: _Fields, position: str, role: str = "user") -> Message:
    return Message(
        event_id=fields.text("event_id"),
        position=position,
        role=fields.text("role") or role,
        text=fields.text("text"),
        id=fields.text("id"),
        client_id=fields.text("client_id"),
        user_id=fields.text("user_id"),
        session_id=fields.text("session_id"),
        audio_url=fields.text("audio_url") or None,
        language=fields.text("language"),
        utterance_id=fields.text("utterance_id"),
        metadata=fields.get("metadata") or {},
        event_time=_moment(fields.get("event_time")),
    )


def _moment(text: str | None) -> datetime | None:
    return None if not text else datetime.fromisoformat(text).astimezone(UTC)


def _state(fields: _Fields, position: str) -> Frame:
    return StateChanged(
        event_id=fields.text("event_id"),
        position=position,
        state=fields.text("state"),
        previous_state=fields.text("previous_state"),
        cause=fields.text("cause"),
        client_id=fields.text("client_id"),
        user_id=fields.text("user_id"),
    )


def _speech(fields: _Fields, position: str) -> Frame:
    kind, client_id = fields.text("kind"), fields.text("client_id")
    if kind == "interrupted" and fields.get("event_id"):
        target, text = fields.text("target_event_id"), fields.text("text")
        return Interrupted(fields.text("event_id"), position, target, text, client_id)
    return Speech(kind, fields.text("role"), fields.text("utterance_id"), client_id)


def _status(fields: _Fields, position: str) -> Frame:
    status = fields.text("status")
    read = _STATUSES.get(status)
    return Unknown(status) if read is None else read(fields, position)


def _connected(fields: _Fields, _: str) -> Frame:
    return Connected(
        session_id=fields.text("session_id"),
        generation=fields.number("generation"),
        client_id=fields.text("client_id"),
        position=fields.text("position"),
        open_connections=fields.number("open_connections"),
        snapshot=fields.get("snapshot"),
    )


def _resumed(fields: _Fields, _: str) -> Frame:
    return Resumed(bool(fields.get("recovered")), fields.text("reason"), fields.text("position"))


def _ack(fields: _Fields, position: str) -> Frame:
    return Ack(fields.text("id"), fields.text("event_id"), fields.text("position") or position)


def _problem(fields: _Fields, _: str) -> Frame:
    return Problem(
        code=fields.text("code"),
        message=fields.text("message"),
        retryable=bool(fields.get("retryable")),
        id=fields.text("id") or None,
        retry_after_ms=fields.get("retry_after_ms"),
        state=fields.get("state"),
        allowed=tuple(fields.get("allowed") or ()),
    )


_Reader = Callable[[_Fields, str], Frame]

_STATUSES: Final[dict[str, _Reader]] = {
    "connected": _connected,
    "resumed": _resumed,
    "presence": lambda fields, _: Presence(fields.number("open_connections")),
    "draining": lambda fields, _: Draining(fields.number("retry_after_ms")),
}

_READERS: Final[dict[str, _Reader]] = {
    "ack": _ack,
    "error": _problem,
    "connection_status": _status,
    "transcript_update": _transcript,
    "ai_response": _response,
    "state_update": _state,
    "speech_event": _speech,
    "pong": lambda _fields, _position: Unknown("pong"),
}
