"""States of conversations, and requests for others."""

from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from parley.conversation_state import allowed_from
from parley.events import ConversationState
from services.gateway.api.models.base import EVENT_ID, POSITION, Id, Request, Text


class StateOut(BaseModel):
    """Where a conversation stands; one that nobody knows is idle."""

    conversation_id: str
    state: ConversationState
    allowed: list[ConversationState] = Field(description="Where it may go from here.")

    @classmethod
    def of(cls, conversation_id: str, state: ConversationState) -> "StateOut":
        """The state with what follows from it."""
        allowed = list(allowed_from(state))
        return cls(conversation_id=conversation_id, state=state, allowed=allowed)


class TransitionIn(Request):
    """A request for another state."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"state": "listening", "cause": "microphone on"}]}
    )

    state: ConversationState
    cause: Text = ""
    reopen: bool = Field(default=False, description="From `ended` back to `idle`.")
    id: Annotated[Id, Field(min_length=1)] | None = Field(
        default=None, description="The same id is the same request, and gets the same answer."
    )
    client_id: Id = ""
    user_id: Id = ""
    occurred_at: AwareDatetime | None = None
    sent_at: AwareDatetime | None = None


class TransitionOut(StateOut):
    """The transition was granted by the log."""

    previous_state: ConversationState
    event_id: str = Field(examples=[EVENT_ID])
    position: str = Field(examples=[POSITION])
