"""Sessions over HTTP, for programs that hold no WebSocket."""

from typing import Final

from fastapi import APIRouter, Request

from parley.events import SessionStarted
from parley.ids import derived_id, random_id
from services.gateway.access import Caller
from services.gateway.api.fields import ConversationId, IdempotencyKey, SessionId
from services.gateway.api.models import (
    SessionEndedOut,
    SessionEndIn,
    SessionIn,
    SessionStartedOut,
)
from services.gateway.api.parts import Parts, counted
from services.gateway.core.fields import write_json_object

POST_SESSION: Final = "post_session"
POST_SESSION_END: Final = "post_session_end"
PATH: Final = "/api/v2/conversations/{conversation_id}/sessions"


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The routes that start and end sessions."""

    @router.post(PATH, status_code=201, tags=["sessions"], summary="Start a session")
    async def post_session(
        conversation_id: ConversationId,
        session: SessionIn,
        request: Request,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> SessionStartedOut:
        """Its id goes into the messages that belong to it; without an end, silence ends it."""

        async def start() -> SessionStartedOut:
            source = await parts.source(
                caller,
                conversation_id,
                user_id=session.user_id,
                client_id=session.client_id,
                session_id=_session_id(
                    caller.tenant_id,
                    conversation_id,
                    caller.subject,
                    session.client_id,
                    idempotency_key,
                ),
                channel=session.channel,
            )
            body = SessionStarted(
                client_ip=request.client.host if request.client else "",
                metadata_json=write_json_object("metadata", session.metadata),
            )
            recorded = await parts.sessions.start(source, body)
            return SessionStartedOut(session_id=source.session_id, position=str(recorded.position))

        return await counted(POST_SESSION, start())

    @router.post(f"{PATH}/{{session_id}}/end", tags=["sessions"], summary="End a session")
    async def end_session(
        conversation_id: ConversationId,
        session_id: SessionId,
        end: SessionEndIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> SessionEndedOut:
        """Ends this generation; twice is as good as once."""

        async def finish() -> SessionEndedOut:
            source = await parts.source(caller, conversation_id, session_id=session_id)
            recorded = await parts.sessions.end(source, end.generation)
            return SessionEndedOut(position=str(recorded.position))

        return await counted(POST_SESSION_END, finish())


def _session_id(
    tenant_id: str, conversation_id: str, sender: str, client_id: str, key: str | None
) -> str:
    if key is None:
        return random_id()
    return derived_id("session", tenant_id, conversation_id, sender, client_id, key)
