"""The state of a conversation over HTTP: read, and another one asked for."""

from typing import Final

from fastapi import APIRouter

from parley.ids import random_id
from services.gateway.access import Caller
from services.gateway.api.fields import ConversationId, IdempotencyKey
from services.gateway.api.models import StateOut, TransitionIn, TransitionOut
from services.gateway.api.parts import Parts, counted
from services.gateway.api.problems import documented
from services.gateway.core.frames import Clocks, Transition

POST_STATE: Final = "post_state"
PATH: Final = "/api/conversations/{conversation_id}/state"


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The route that asks for another state."""

    @router.post(PATH, tags=["states"], summary="Ask for another state", responses=documented(409))
    async def post_state(
        conversation_id: ConversationId,
        wanted: TransitionIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> TransitionOut:
        """Answers when the log has decided: 409 says where it stands and where it may go."""

        async def ask() -> TransitionOut:
            source = await parts.source(
                caller, conversation_id, user_id=wanted.user_id, client_id=wanted.client_id
            )
            transition = Transition(
                wanted.id or idempotency_key or random_id(),
                wanted.state,
                wanted.cause,
                wanted.reopen,
                Clocks(wanted.occurred_at, wanted.sent_at),
            )
            change = await parts.talk.transition(source, transition)
            return TransitionOut(
                **StateOut.of(conversation_id, change.state).model_dump(),
                previous_state=change.previous_state,
                event_id=change.recorded.event_id,
                position=str(change.recorded.position),
            )

        return await counted(POST_STATE, ask())


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The route that tells the state."""

    @router.get(PATH, tags=["states"], summary="The state of a conversation")
    async def get_state(conversation_id: ConversationId, caller: Caller) -> StateOut:
        """As the log has it now, not as it is stored; 503 where nobody can say."""
        await parts.refuse_reading(caller, conversation_id)
        status = await parts.talk.state(caller.tenant_id, conversation_id)
        return StateOut.of(conversation_id, status.state)
