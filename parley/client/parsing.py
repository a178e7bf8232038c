"""Reads the gateway's frames; what makes no sense is Unknown, since a newer gateway may say it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from parley.client.frames import (
    Ack,
    Connected,
    Corrected,
    Draining,
    Frame,
    Interim,
    Interrupted,
    Message,
    Presence,
    Problem,
    Resumed,
    Speech,
    StateChanged,
    Unknown,
)


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
    if fields.get("is_correction"):
        target, text = fields.text("target_event_id"), fields.text("text")
        client_id = fields.text("client_id")
        return Corrected(fields.text("event_id"), position, target, text, client_id)
    if fields.get("is_final"):
        return _message(fields, position)
    return _interim(fields)


def _response(fields: _Fields, position: str) -> Frame:
    if fields.get("is_final") is False:
        return _interim(fields, "assistant")
    return _message(fields, position, "assistant")


def _interim(fields: _Fields, role: str = "user") -> Interim:
    return Interim(
        text=fields.text("text"),
        role=fields.text("role") or role,
        utterance_id=fields.text("utterance_id"),
        sequence=fields.number("sequence"),
        language=fields.text("language"),
        client_id=fields.text("client_id"),
        user_id=fields.text("user_id"),
    )


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
