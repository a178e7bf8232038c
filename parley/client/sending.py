"""Builds the frames that a client sends; a frame keeps its bytes, and gets its `sent_at` late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson

# The gateway's limit for a whole frame is 64 KiB, of which `sent_at` and its name take 50 bytes.
MAX_FRAME_BYTES: Final = 64 * 1024 - 64


class InvalidArgument(ValueError):
    """An argument that no gateway would take; `kind` names what is wrong, and no content."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame that wants an acknowledgement; `body` is its JSON up to where `sent_at` belongs."""

    frame_id: str
    body: bytes

    def text(self, sent_at: datetime) -> str:
        """The whole frame, as it is sent at this moment."""
        return f'{self.body.decode()}"sent_at":"{sent_at.isoformat()}"}}}}'


def outgoing(kind: str, frame_id: str, payload: Mapping[str, Any]) -> Outgoing:
    """A frame with an id; raises InvalidArgument for what JSON or the gateway cannot hold."""
    # The payload comes last, so that `sent_at` can follow its last field.
    frame = {"type": kind, "id": frame_id, "payload": payload}
    try:
        written = orjson.dumps(frame)
    except orjson.JSONEncodeError as error:
        raise InvalidArgument("not_json") from error
    if len(written) > MAX_FRAME_BYTES:
        raise InvalidArgument("frame_too_big")
    return Outgoing(frame_id, written[:-2] + (b"," if payload else b""))


def live_frame(kind: str, payload: Mapping[str, Any]) -> str:
    """A frame without an id, which nobody acknowledges; raises InvalidArgument."""
    try:
        return orjson.dumps({"type": kind, "payload": payload}).decode()
    except orjson.JSONEncodeError as error:
        raise InvalidArgument("not_json") from error


def utterance(
    role: str,
    text: str,
    occurred_at: datetime,
    audio_url: str | None = None,
    language: str = "",
    metadata: Mapping[str, Any] | None = None,
    utterance_id: str = "",
) -> tuple[str, dict[str, Any]]:
    """A final utterance's frame type and payload; raises InvalidArgument."""
    _check_texts(text, audio_url, language, utterance_id)
    if role not in ROLES:
        raise InvalidArgument("role")
    if not isinstance(occurred_at, datetime) or occurred_at.tzinfo is None:
        raise InvalidArgument("occurred_at")
    payload: dict[str, Any] = {"text": text, "occurred_at": occurred_at}
    if role != "assistant":
        payload["role"] = role
        payload["is_final"] = True
    if audio_url:
        payload["audio_url"] = audio_url
    if language:
        payload["language"] = language
    if utterance_id:
        payload["utterance_id"] = utterance_id
    if metadata:
        payload["metadata"] = dict(metadata)
    return "ai_response" if role == "assistant" else "transcript_update", payload


ROLES: Final = frozenset({"user", "assistant", "system", "tool"})


def _check_texts(text: str, audio_url: str | None, language: str, utterance_id: str) -> None:
    if not isinstance(text, str):
        raise InvalidArgument("text")
    if not (audio_url is None or isinstance(audio_url, str)):
        raise InvalidArgument("audio_url")
    if not (isinstance(language, str) and isinstance(utterance_id, str)):
        raise InvalidArgument("language_or_utterance_id")
    if not (audio_url or text.strip()):
        raise InvalidArgument("silence")
