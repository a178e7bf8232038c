"""Conversations: created, listed, shown whole, and ended."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from parley.events import ConversationState
from services.gateway.api.models.base import POSITION, Id, Request, Text


class ConversationIn(Request):
    """A new conversation; all of it may be left out."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "support-4711",
                    "user_id": "u-1",
                    "title": "A parcel that has not come",
                    "personality": "patient",
                    "channel": "chat",
                    "metadata": {"order": "A-17"},
                }
            ]
        }
    )

    id: Annotated[Id, Field(min_length=1)] | None = Field(
        default=None, description="Its id where you choose it; otherwise it is made up."
    )
    client_id: Id = Field(default="", description="Within which an Idempotency-Key counts.")
    user_id: Id = ""
    title: Text = ""
    personality: Text = ""
    channel: Id = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class ConversationCreatedOut(BaseModel):
    """The conversation is durable."""

    conversation_id: str = Field(examples=["support-4711"])
    position: str = Field(examples=[POSITION])


class ConversationSummaryOut(BaseModel):
    """A conversation in the list."""

    conversation_id: str
    user_id: str | None
    title: str | None
    personality: str | None
    channel: str | None
    metadata: dict[str, Any] | None
    status: str = Field(
        description="`ended`; else `active` with an open session, and `quiet` without one",
        examples=["active"],
    )
    state: ConversationState
    is_active: bool = Field(description="Whether a session is open.")
    first_event_at: datetime
    last_event_at: datetime


class ConversationsOut(BaseModel):
    """One page of conversations, the one that was last active first."""

    conversations: list[ConversationSummaryOut]
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


class ConversationOut(ConversationSummaryOut):
    """A conversation with its newest 50 sessions and 50 segments."""

    message_count: int
    session_count: int
    segment_count: int
    verdict_count: int
    sessions: list[SessionOut]
    segments: list[SegmentOut]


class EndIn(Request):
    """Who ends the conversation, and why."""

    cause: Text = ""
    client_id: Id = ""
    user_id: Id = ""


class EndedOut(BaseModel):
    """The conversation has ended; `position` is null where it had before."""

    conversation_id: str
    state: ConversationState
    position: str | None = Field(examples=[POSITION])
