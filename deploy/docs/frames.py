"""The WebSocket's frames as JSON schemas; tests compare them with what the gateway says."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from parley.events import ConversationState, Role
from parley.live import SpeechKind
from services.gateway.core.frames import Deliver
from services.gateway.core.refusals import Code

Schema = dict[str, Any]


def _one_of(kind: type[StrEnum]) -> Schema:
    return {"type": "string", "enum": [one.value for one in kind]}


def _just(value: str) -> Schema:
    return {"type": "string", "const": value}


_TEXT: Final[Schema] = {"type": "string"}
_FLAG: Final[Schema] = {"type": "boolean"}
_NUMBER: Final[Schema] = {"type": "integer", "minimum": 1}
_COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
_OBJECT: Final[Schema] = {"type": "object"}
_MOMENT: Final[Schema] = {"type": "string", "format": "date-time"}
_CLOCKS: Final = {"occurred_at": _MOMENT, "sent_at": _MOMENT}
_SAID: Final = {
    "text": _TEXT,
    "audio_url": _TEXT,
    "language": _TEXT,
    "utterance_id": _TEXT,
    "metadata": _OBJECT,
}
_WHO: Final = {
    "event_id": _TEXT,
    "id": _TEXT,
    "client_id": _TEXT,
    "user_id": _TEXT,
    "session_id": _TEXT,
    "event_time": _MOMENT,
}

Frames = Mapping[str, Mapping[str, Schema]]
"""The fields of each type's payload."""

CLIENT_FRAMES: Final[Frames] = {
    "hello": {
        "token": _TEXT,
        "client_id": _TEXT,
        "user_id": _TEXT,
        "channel": _TEXT,
        "metadata": _OBJECT,
        "session_id": _TEXT,
        "generation": _NUMBER,
        "position": _TEXT,
        "deliver": _one_of(Deliver),
    },
    "transcript_update": {
        **_SAID,
        **_CLOCKS,
        "role": _one_of(Role),
        "is_final": _FLAG,
        "sequence": _NUMBER,
    },
    "ai_response": {**_SAID, **_CLOCKS},
    "speech_event": {
        **_CLOCKS,
        "kind": _one_of(SpeechKind),
        "role": _one_of(Role),
        "utterance_id": _TEXT,
        "target_id": _TEXT,
        "target_event_id": _TEXT,
        "text": _TEXT,
    },
    "state_update": {
        **_CLOCKS,
        "state": _one_of(ConversationState),
        "cause": _TEXT,
        "reopen": _FLAG,
    },
    "end": _CLOCKS,
    "ping": {},
}

SERVER_FRAMES: Final[Frames] = {
    "ack": {"id": _TEXT, "event_id": _TEXT, "position": _TEXT},
    "error": {
        "id": _TEXT,
        "code": _one_of(Code),
        "message": _TEXT,
        "retryable": _FLAG,
        "retry_after_ms": _COUNT,
        "state": _one_of(ConversationState),
        "allowed": {"type": "array", "items": _one_of(ConversationState)},
    },
    "connection_status": {
        "status": {"type": "string", "enum": ["connected", "resumed", "presence", "draining"]},
        "conversation_id": _TEXT,
        "session_id": _TEXT,
        "generation": _NUMBER,
        "client_id": _TEXT,
        "position": _TEXT,
        "open_connections": _COUNT,
        "heartbeat_interval_seconds": {"type": "number"},
        "snapshot": {
            "type": ["object", "null"],
            "properties": {"state": _one_of(ConversationState)},
        },
        "recovered": _FLAG,
        "reason": _TEXT,
        "retry_after_ms": _COUNT,
    },
    "transcript_update": {
        **_WHO,
        **_SAID,
        "role": _one_of(Role),
        "is_final": _FLAG,
        "sequence": _NUMBER,
        "is_correction": _FLAG,
        "target_event_id": _TEXT,
    },
    "ai_response": {
        **_WHO,
        **_SAID,
        "role": _one_of(Role),
        "is_final": _FLAG,
        "sequence": _NUMBER,
    },
    "speech_event": {
        **_WHO,
        "kind": _one_of(SpeechKind),
        "role": _one_of(Role),
        "utterance_id": _TEXT,
        "target_event_id": _TEXT,
        "text": _TEXT,
    },
    "state_update": {
        **_WHO,
        "state": _one_of(ConversationState),
        "previous_state": _one_of(ConversationState),
        "cause": _TEXT,
    },
    "pong": {},
}


def frame_schema(kind: str, fields: Mapping[str, Schema], *, is_clients: bool) -> Schema:
    """A whole frame of a type."""
    around = {"traceparent": _TEXT} if is_clients else {"position": _TEXT, "ts": _MOMENT}
    payload = {"type": "object", "properties": dict(fields)}
    return {
        "type": "object",
        "required": ["type"],
        "properties": {"type": _just(kind), "id": _TEXT, "payload": payload, **around},
    }
