"""Messages and sessions over HTTP, for programs that hold no WebSocket."""

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Final, TypeVar

from fastapi import APIRouter, Header, Request

from parley.events import Content, MessageRecorded, SessionStarted
from parley.ids import derived_id, random_id
from services.gateway import metrics
from services.gateway.api.models import (
    ConversationId,
    MessageIn,
    MessageRecordedOut,
    SessionEndedOut,
    SessionEndIn,
    SessionId,
    SessionIn,
    SessionStartedOut,
)
from services.gateway.api.problems import documented
from services.gateway.api.strict_json import strict_json_route
from services.gateway.core.fields import write_json_object
from services.gateway.core.frames import Clocks, Utterance
from services.gateway.core.parsing import refuse_silence
from services.gateway.core.refusals import Refused
from services.gateway.sessions import Sessions
from services.gateway.stream import Publisher

Result = TypeVar("Result")

POST_MESSAGE: Final = "post_message"
POST_SESSION: Final = "post_session"
POST_SESSION_END: Final = "post_session_end"

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=512,
        description="The same key and client_id: the same message or session, not another one.",
    ),
]
_PROBLEMS: Final = documented(403, 413, 422, 503)


def writing_router(publisher: Publisher, sessions: Sessions, max_body_bytes: int) -> APIRouter:
    """The routes that write; each answers when Kafka has acknowledged."""
    router = APIRouter(
        prefix="/api/v2/conversations/{conversation_id}",
        route_class=strict_json_route(max_body_bytes),
        responses=_PROBLEMS,
    )

    @router.post("/messages", status_code=201, tags=["messages"], summary="Record a message")
    async def post_message(
        conversation_id: ConversationId,
        message: MessageIn,
        idempotency_key: IdempotencyKey = None,
    ) -> MessageRecordedOut:
        """Answers when the message is durable; 503 says when to send the same id again."""
        source = publisher.source(
            conversation_id,
            message.channel,
            user_id=message.user_id,
            client_id=message.client_id,
            session_id=message.session_id,
        )

        async def record() -> MessageRecordedOut:
            utterance = _utterance(message, message.id or idempotency_key or random_id())
            recorded = await publisher.record_utterance(source, utterance, asyncio.Lock())
            return MessageRecordedOut(event_id=recorded.event_id, position=str(recorded.position))

        return await _counted(POST_MESSAGE, record())

    @router.post("/sessions", status_code=201, tags=["sessions"], summary="Start a session")
    async def post_session(
        conversation_id: ConversationId,
        session: SessionIn,
        request: Request,
        idempotency_key: IdempotencyKey = None,
    ) -> SessionStartedOut:
        """Its id goes into the messages that belong to it; without an end, silence ends it."""
        session_id = random_id()
        if idempotency_key is not None:
            session_id = derived_id("session", conversation_id, session.client_id, idempotency_key)
        source = publisher.source(
            conversation_id,
            session.channel,
            user_id=session.user_id,
            client_id=session.client_id,
            session_id=session_id,
        )

        async def start() -> SessionStartedOut:
            body = SessionStarted(
                client_ip=request.client.host if request.client else "",
                metadata_json=write_json_object("metadata", session.metadata),
            )
            recorded = await sessions.start(source, body, asyncio.Lock())
            return SessionStartedOut(session_id=session_id, position=str(recorded.position))

        return await _counted(POST_SESSION, start())

    @router.post("/sessions/{session_id}/end", tags=["sessions"], summary="End a session")
    async def end_session(
        conversation_id: ConversationId, session_id: SessionId, end: SessionEndIn
    ) -> SessionEndedOut:
        """Ends this generation; twice is as good as once."""
        source = publisher.source(conversation_id, session_id=session_id)

        async def finish() -> SessionEndedOut:
            recorded = await sessions.end(source, end.generation, asyncio.Lock())
            return SessionEndedOut(position=str(recorded.position))

        return await _counted(POST_SESSION_END, finish())

    return router


def _utterance(message: MessageIn, client_message_id: str) -> Utterance:
    metadata_json = write_json_object("metadata", message.metadata)
    content = Content(message.text, message.audio_url, metadata_json)
    body = MessageRecorded(message.role, content, message.utterance_id, message.language)
    refuse_silence(body)
    clocks = Clocks(message.occurred_at, message.sent_at)
    return Utterance(client_message_id, body, clocks)


async def _counted(kind: str, work: Awaitable[Result]) -> Result:
    try:
        result = await work
    except Refused as refused:
        metrics.FRAMES.labels(kind, refused.code).inc()
        raise
    metrics.FRAMES.labels(kind, "ok").inc()
    return result
