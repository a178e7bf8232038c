"""Turns what passed in the log into the frames that a conversation's connections are sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import orjson

from parley.events import (
    Event,
    MessageRecorded,
    MessageRevised,
    RevisionKind,
    Role,
    StateRequested,
)
from parley.live import InterimTranscript, LiveFrame, SpeechEvent, SpeechKind
from parley.position import Position

# Who caused a frame: a sender and one of its clients.
Origin = tuple[str, str]
NOBODY: Final[Origin] = ("", "")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A snapshot of null: there is one, and nobody can read it now.
_NULL_SAYS_SOMETHING: Final = frozenset({"snapshot"})


@dataclass(frozen=True, slots=True)
class OutFrame:
    """A frame as text, made once for all connections.

    `offset` is where a durable one lies in its partition, None for a live one. Of live frames
    those `is_passing` may be dropped for a reader who is slow.
    """

    type: str
    text: str
    origin: Origin = NOBODY
    offset: int | None = None
    is_passing: bool = False


def durable_frame(event: Event, position: Position, *, is_granted: bool) -> OutFrame | None:
    """The frame of an event; None for what connections do not see.

    Imports bring the past, which nobody is told now; a request that lost changed nothing.
    """
    if event.import_id is not None:
        return None
    match event.body:
        case MessageRecorded() as body:
            kind, payload = _message(event, body)
        case MessageRevised() as body:
            kind, payload = _revision(event, body)
        case StateRequested() as body if is_granted:
            kind, payload = "state_update", _state(body)
        case _:
            return None
    text = frame_text(kind, {**_who(event), **payload}, event.received_at, position=str(position))
    return OutFrame(kind, text, (event.sender, event.client_id), position.offset)


def live_frame(frame: LiveFrame) -> OutFrame | None:
    """The frame of a live record; None for presence, which is counted first."""
    match frame.body:
        case InterimTranscript() as body:
            kind = "ai_response" if body.role is Role.ASSISTANT else "transcript_update"
            payload: dict[str, Any] = {
                "utterance_id": body.utterance_id,
                "sequence": body.sequence,
                "role": body.role,
                "text": body.text,
                "language": body.language or None,
                "is_final": False,
            }
        case SpeechEvent() as body:
            kind = "speech_event"
            payload = {
                "kind": body.kind,
                "role": body.role,
                "utterance_id": body.utterance_id or None,
            }
        case _:
            return None
    who = {"client_id": frame.client_id, "user_id": frame.user_id or None}
    text = frame_text(kind, {**who, **payload}, frame.received_at)
    return OutFrame(kind, text, (frame.sender, frame.client_id), is_passing=True)


def frame_text(
    kind: str,
    payload: Mapping[str, Any],
    at: datetime,
    *,
    frame_id: str | None = None,
    position: str | None = None,
) -> str:
    """A frame as JSON; what is None is left out."""
    frame = {
        "type": kind,
        "id": frame_id,
        "position": position,
        "payload": {
            name: value
            for name, value in payload.items()
            if value is not None or name in _NULL_SAYS_SOMETHING
        },
        "ts": at.isoformat(timespec="milliseconds"),
    }
    present = {name: value for name, value in frame.items() if value is not None}
    return orjson.dumps(present).decode()


def ack_text(frame_id: str, event_id: str, position: str, at_ms: int) -> bytes:
    """The acknowledgement of a frame: as of `frame_text`, which takes five times as long.

    `at_ms` are milliseconds since 1970.
    """
    # Only the client's id may hold what JSON must escape.
    written_id = orjson.dumps(frame_id).decode()
    return (
        f'{{"type":"ack","id":{written_id},"position":"{position}","payload":{{"id":{written_id},'
        f'"event_id":"{event_id}","position":"{position}"}},"ts":"{_written(at_ms)}"}}'
    ).encode()


# Acknowledgements come by the batch, and to write a time takes longer than all the rest of one.
@lru_cache(maxsize=16)
def _written(at_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at_ms)).isoformat(timespec="milliseconds")


def _who(event: Event) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "id": event.client_message_id or None,
        "client_id": event.client_id,
        "user_id": event.user_id or None,
        "session_id": event.session_id or None,
        "event_time": event.event_time,
    }


def _message(event: Event, body: MessageRecorded) -> tuple[str, dict[str, Any]]:
    kind = "ai_response" if body.role is Role.ASSISTANT else "transcript_update"
    content = body.content
    # As it is: what was read as JSON may be nested deeper than orjson writes.
    metadata = orjson.Fragment(content.metadata_json) if content.metadata_json else None
    return kind, {
        "role": body.role,
        "text": content.text,
        "is_final": True,
        "audio_url": content.audio_url,
        "language": body.language or None,
        "utterance_id": body.utterance_id or None,
        "metadata": metadata,
    }


def _revision(_event: Event, body: MessageRevised) -> tuple[str, dict[str, Any]]:
    spoken = {"target_event_id": body.target_event_id, "text": body.content.text}
    if body.kind is RevisionKind.INTERRUPTED:
        return "speech_event", {"kind": SpeechKind.INTERRUPTED, "role": Role.ASSISTANT, **spoken}
    return "transcript_update", {"is_final": True, "is_correction": True, **spoken}


def _state(body: StateRequested) -> dict[str, Any]:
    return {
        "state": body.target,
        "previous_state": body.source,
        "cause": body.cause or None,
    }
