"""Sessions of programs that hold no WebSocket."""

from pydantic import BaseModel, Field, JsonValue

from services.gateway.api.models.base import POSITION, Id, Request


class SessionIn(Request):
    """A session of a program that has no WebSocket."""

    client_id: Id = ""
    user_id: Id = ""
    channel: Id = ""
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class SessionStartedOut(BaseModel):
    """The session has begun."""

    session_id: str
    generation: int = 1
    position: str = Field(examples=[POSITION])


class SessionEndIn(Request):
    """Which generation of the session ends; a later one goes on."""

    generation: int = Field(default=1, ge=1, lt=2**62)


class SessionEndedOut(BaseModel):
    """The end is durable."""

    position: str = Field(examples=[POSITION])
