"""What can be exported, with its columns: the same names and types in every format."""

from collections.abc import Mapping
from enum import Enum, StrEnum, auto
from typing import Final


class Kind(StrEnum):
    """What there is to export."""

    MESSAGES = "messages"
    CONVERSATIONS = "conversations"
    SESSIONS = "sessions"
    SEGMENTS = "segments"
    VERDICTS = "verdicts"


class Type(Enum):
    """What a column holds; any may be empty."""

    TEXT = auto()
    TEXTS = auto()
    TIME = auto()
    INTEGER = auto()
    BOOLEAN = auto()
    # A JSON value as text.
    JSON = auto()


Columns = Mapping[str, Type]

# In the order of the columns of each kind's query.
COLUMNS: Final[Mapping[Kind, Columns]] = {
    Kind.MESSAGES: {
        "tenant_id": Type.TEXT,
        "conversation_id": Type.TEXT,
        "message_id": Type.TEXT,
        "session_id": Type.TEXT,
        "role": Type.TEXT,
        "content": Type.TEXT,
        "occurred_at": Type.TIME,
        "user_id": Type.TEXT,
        "channel": Type.TEXT,
        "audio_url": Type.TEXT,
        "language": Type.TEXT,
        "metadata": Type.JSON,
        "sender": Type.TEXT,
        "utterance_id": Type.TEXT,
        "client_clock": Type.TIME,
        "received_at": Type.TIME,
        "is_revised": Type.BOOLEAN,
        "import_id": Type.TEXT,
    },
    Kind.CONVERSATIONS: {
        "tenant_id": Type.TEXT,
        "conversation_id": Type.TEXT,
        "user_id": Type.TEXT,
        "channel": Type.TEXT,
        "title": Type.TEXT,
        "personality": Type.TEXT,
        "state": Type.TEXT,
        "first_event_at": Type.TIME,
        "last_event_at": Type.TIME,
        "metadata": Type.JSON,
    },
    Kind.SESSIONS: {
        "tenant_id": Type.TEXT,
        "session_id": Type.TEXT,
        "conversation_id": Type.TEXT,
        "user_id": Type.TEXT,
        "channel": Type.TEXT,
        "started_at": Type.TIME,
        "ended_at": Type.TIME,
        "end_reason": Type.TEXT,
        "duration_seconds": Type.INTEGER,
        "message_count": Type.INTEGER,
        "is_active": Type.BOOLEAN,
        "last_event_at": Type.TIME,
        "client_ip": Type.TEXT,
        "user_agent": Type.TEXT,
        "metadata": Type.JSON,
    },
    Kind.SEGMENTS: {
        "tenant_id": Type.TEXT,
        "segment_id": Type.TEXT,
        "revision": Type.INTEGER,
        "conversation_id": Type.TEXT,
        "channel": Type.TEXT,
        "started_at": Type.TIME,
        "ended_at": Type.TIME,
        "message_count": Type.INTEGER,
        "cause": Type.TEXT,
        "participants": Type.TEXTS,
        "user_ids": Type.TEXTS,
        "policy_id": Type.TEXT,
        "policy_version": Type.INTEGER,
        "sealed_at": Type.TIME,
    },
    Kind.VERDICTS: {
        "tenant_id": Type.TEXT,
        "segment_id": Type.TEXT,
        "revision": Type.INTEGER,
        "is_current": Type.BOOLEAN,
        "pass_name": Type.TEXT,
        "pass_version": Type.INTEGER,
        "conversation_id": Type.TEXT,
        "channel": Type.TEXT,
        "segment_started_at": Type.TIME,
        "segment_ended_at": Type.TIME,
        "output": Type.JSON,
        "output_schema_version": Type.INTEGER,
        "fingerprint": Type.TEXT,
        "member_digest": Type.TEXT,
        "content_digest": Type.TEXT,
        "trigger": Type.TEXT,
        "backfill_run_id": Type.TEXT,
        "attempt_count": Type.INTEGER,
        "started_at": Type.TIME,
        "ended_at": Type.TIME,
        "worker_id": Type.TEXT,
        "model": Type.TEXT,
        "prompt_digest": Type.TEXT,
        "input_tokens": Type.INTEGER,
        "output_tokens": Type.INTEGER,
        "cost_micro_usd": Type.INTEGER,
        "latency_microseconds": Type.INTEGER,
        "is_from_memo": Type.BOOLEAN,
    },
}
