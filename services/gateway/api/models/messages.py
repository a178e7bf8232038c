"""Messages: said, heard and shown."""

from datetime import datetime
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue

from parley.events import Role
from services.gateway.api.models.base import EVENT_ID, POSITION, Id, Request, Text


class MessageIn(Request):
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
    text: Text = ""
    id: Id | None = Field(
        default=None,
        min_length=1,
        description="The client's own id of the message: the same id is the same message, however "
        "late it comes again. Without it the Idempotency-Key counts, and without both each "
        "request is another message.",
    )
    client_id: Id = Field(
        default="", description="Which program numbers the messages; two may use the same ids."
    )
    user_id: Id = ""
    session_id: Id = Field(default="", description="The session that it belongs to, if any.")
    channel: Id = Field(default="", description="Chooses the gap policy.")
    occurred_at: AwareDatetime | None = Field(default=None, description="By the client's clock.")
    sent_at: AwareDatetime | None = Field(
        default=None, description="By the same clock, now: its error then cancels out."
    )
    audio_url: Text | None = None
    language: Text = ""
    utterance_id: Text = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class AskIn(MessageIn):
    """A message that may want an answer."""

    reply: bool = Field(
        default=False,
        description="Answer it: the reply follows as a message of the assistant, over the "
        "WebSocket and in the history. Sent again with the same id it is answered once.",
    )


class TranscriptIn(MessageIn):
    """What was heard: final, or so far."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "My par", "is_final": False, "utterance_id": "u-7", "sequence": 3},
                {"text": "My parcel has not come.", "is_final": True, "id": "8-123"},
            ]
        }
    )

    is_final: bool = Field(
        default=True, description="False: seen by who is connected, and not kept."
    )
    sequence: int | None = Field(
        default=None, ge=1, lt=2**62, description="Of interim ones of an utterance; they need it."
    )


class MessageRecordedOut(BaseModel):
    """The message is durable."""

    event_id: str = Field(examples=[EVENT_ID])
    position: str = Field(examples=[POSITION], description="For X-Parley-After; opaque.")


class AskedOut(MessageRecordedOut):
    """The message is durable, and whether an answer is on its way."""

    is_reply_started: bool = False


class ShownOut(BaseModel):
    """It was passed on to who is connected, as far as Kafka takes it; nothing is kept."""

    position: None = None


class MessageOut(BaseModel):
    """A message as it is stored."""

    id: str = Field(examples=[EVENT_ID])
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
    position: str = Field(examples=[POSITION])


class MessagesOut(BaseModel):
    """One page of a conversation's messages, by time; the cursor leads to the next one."""

    messages: list[MessageOut]
    next_cursor: str | None
