"""What goes in and out over HTTP, with the examples that the documentation shows."""

from datetime import datetime
from typing import Annotated, Any, Final

from fastapi import Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from parley.events import Role

# NUL cannot be stored, and a slash would end this part of the path.
ConversationId = Annotated[
    str, Path(min_length=1, max_length=512, pattern=r"^[^\x00]+$", examples=["support-4711"])
]
SessionId = Annotated[str, Path(min_length=1, max_length=512, pattern=r"^[^\x00]+$")]

_POSITION: Final = "MS5DUVdmMHVnTFRHLTIuMTA0"
_EVENT_ID: Final = "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class MessageIn(_Request):
    """A message of a conversation."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "My parcel has not come.", "user_id": "u-1", "client_id": "shop-backend"},
                {
                    "id": "run-8-000123",
                    "client_id": "voice-agent-2",
                    "role": "assistant",
                    "text": "I am sorry. Let me look.",
                    "channel": "phone",
                    "occurred_at": "2026-01-31T12:00:00.250Z",
                    "sent_at": "2026-01-31T12:00:00.900Z",
                    "metadata": {"model": "m-3"},
                },
            ]
        }
    )

    role: Role = Role.USER
    text: str = ""
    id: str | None = Field(
        default=None,
        min_length=1,
        description="The client's own id of the message: the same id is the same message, however "
        "late it comes again. Without it the Idempotency-Key counts, and without both each "
        "request is another message.",
    )
    client_id: str = Field(
        default="", description="Which program numbers the messages; two may use the same ids."
    )
    user_id: str = ""
    session_id: str = Field(default="", description="The session that it belongs to, if any.")
    channel: str = Field(default="", description="Chooses the gap policy.")
    occurred_at: AwareDatetime | None = Field(default=None, description="By the client's clock.")
    sent_at: AwareDatetime | None = Field(
        default=None, description="By the same clock, now: its error then cancels out."
    )
    audio_url: str | None = None
    language: str = ""
    utterance_id: str = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class MessageRecordedOut(BaseModel):
    """The message is durable."""

    event_id: str = Field(examples=[_EVENT_ID])
    position: str = Field(examples=[_POSITION], description="For X-Parley-After; opaque.")


class SessionIn(_Request):
    """A session of a program that has no WebSocket."""

    client_id: str = ""
    user_id: str = ""
    channel: str = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class SessionStartedOut(BaseModel):
    """The session has begun."""

    session_id: str
    generation: int = 1
    position: str = Field(examples=[_POSITION])


class SessionEndIn(_Request):
    """Which generation of the session ends; a later one goes on."""

    generation: int = Field(default=1, ge=1, lt=2**62)


class SessionEndedOut(BaseModel):
    """The end is durable."""

    position: str = Field(examples=[_POSITION])


class MessageOut(BaseModel):
    """A message as it is stored."""

    id: str = Field(examples=[_EVENT_ID])
    session_id: str | None
    user_id: str | None
    role: Role
    text: str
    audio_url: str | None
    metadata: dict[str, Any] | None
    language: str | None
    occurred_at: datetime | None
    event_time: datetime
    received_at: datetime
    position: str = Field(examples=[_POSITION])


class MessagesOut(BaseModel):
    """One page of a conversation's messages, by time; the cursor leads to the next one."""

    messages: list[MessageOut]
    next_cursor: str | None


class SessionOut(BaseModel):
    """A session as it stands."""

    session_id: str
    generation: int
    user_id: str | None
    channel: str | None
    started_at: datetime | None
    last_event_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    duration_seconds: int | None
    message_count: int
    is_active: bool


class VerdictOut(BaseModel):
    """What a pass said of the segment."""

    pass_name: str
    pass_version: int
    output: Any


class SegmentOut(BaseModel):
    """A stretch of talk that is over, as it stands."""

    segment_id: str
    revision: int
    started_at: datetime | None
    ended_at: datetime | None
    message_count: int | None
    cause: str | None
    verdicts: list[VerdictOut]


class ConversationOut(BaseModel):
    """A conversation with its newest 50 sessions and 50 segments."""

    conversation_id: str
    user_id: str | None
    title: str | None
    channel: str | None
    first_event_at: datetime
    last_event_at: datetime
    message_count: int
    session_count: int
    segment_count: int
    verdict_count: int
    sessions: list[SessionOut]
    segments: list[SegmentOut]
