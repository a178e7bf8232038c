"""Messages over HTTP: what was said, final or so far, and the history."""

from typing import Annotated, Any, Final

import orjson
import structlog
from fastapi import APIRouter, HTTPException, Query, Response

from parley.events import Content, MessageRecorded, Role
from parley.ids import random_id
from parley.live import InterimTranscript
from parley.position import Position
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import ConversationId, Cursor, IdempotencyKey
from services.gateway.api.models import (
    AskedOut,
    AskIn,
    MessageIn,
    MessageOut,
    MessageRecordedOut,
    MessagesOut,
    ShownOut,
    TranscriptIn,
)
from services.gateway.api.paging import message_cursor, message_place
from services.gateway.api.parts import Parts, counted
from services.gateway.api.problems import documented
from services.gateway.core.events import Source
from services.gateway.core.fields import write_json_object
from services.gateway.core.frames import Clocks, Utterance
from services.gateway.core.parsing import refuse_silence
from services.gateway.core.refusals import Code, Refused
from services.gateway.responder.answering import Asked
from services.gateway.responder.replies import PLAIN, Manner
from services.gateway.store import Row, StoreUnavailable
from services.gateway.stream import Recorded

log = structlog.get_logger(__name__)

POST_MESSAGE: Final = "post_message"
POST_TRANSCRIPT: Final = "post_transcript"
POST_AI_RESPONSE: Final = "post_ai_response"


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The routes that record what was said; each answers when Kafka has acknowledged."""

    @router.post(
        "/api/v2/conversations/{conversation_id}/messages",
        status_code=201,
        tags=["messages"],
        summary="Record a message",
        responses=documented(409),
    )
    async def post_message(
        conversation_id: ConversationId,
        message: AskIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> AskedOut:
        """Answers when the message is durable; 503 says when to send the same id again."""

        async def record() -> AskedOut:
            _refuse_unanswerable(parts, message)
            source = await _source(parts, caller, conversation_id, message)
            recorded = await _record(parts, source, message, idempotency_key)
            is_started = message.reply and await _answer(parts, source, recorded, message.text)
            return AskedOut(**_recorded(recorded), is_reply_started=is_started)

        return await counted(POST_MESSAGE, record())

    @router.post(
        "/api/conversations/{conversation_id}/transcript",
        status_code=201,
        tags=["messages"],
        summary="A transcript, final or so far",
        responses={
            **documented(409),
            202: {"model": ShownOut, "description": "An interim one was passed on"},
        },
    )
    async def post_transcript(
        conversation_id: ConversationId,
        transcript: TranscriptIn,
        caller: Caller,
        response: Response,
        idempotency_key: IdempotencyKey = None,
    ) -> MessageRecordedOut | ShownOut:
        """A final one becomes a message; an interim one is seen by who is connected."""

        async def hear() -> MessageRecordedOut | ShownOut:
            source = await _source(parts, caller, conversation_id, transcript)
            if transcript.is_final:
                recorded = await _record(parts, source, transcript, idempotency_key)
                return MessageRecordedOut(**_recorded(recorded))
            parts.talk.interim(source, _interim(transcript))
            response.status_code = 202
            return ShownOut()

        return await counted(POST_TRANSCRIPT, hear())

    @router.post(
        "/api/conversations/{conversation_id}/ai-response",
        status_code=201,
        tags=["messages"],
        summary="The agent's reply",
        responses=documented(409),
    )
    async def post_ai_response(
        conversation_id: ConversationId,
        message: MessageIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> MessageRecordedOut:
        """A message with the role `assistant`, whatever `role` says."""
        spoken = message.model_copy(update={"role": Role.ASSISTANT})

        async def record() -> MessageRecordedOut:
            source = await _source(parts, caller, conversation_id, spoken)
            return MessageRecordedOut(
                **_recorded(await _record(parts, source, spoken, idempotency_key))
            )

        return await counted(POST_AI_RESPONSE, record())


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The route of the history."""

    @router.get(
        "/api/v2/conversations/{conversation_id}/messages",
        tags=["messages"],
        summary="The messages of a conversation",
    )
    async def get_messages(
        conversation_id: ConversationId,
        caller: Caller,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> MessagesOut:
        """In order of their time; empty for a conversation that nobody knows."""
        after = message_place(cursor)
        await parts.refuse_reading(caller, conversation_id)
        # One more than asked, to know whether there is another page.
        rows = await parts.store.messages(caller.tenant_id, conversation_id, after, limit + 1)
        page = rows[:limit]
        return MessagesOut(
            messages=[_message(row) for row in page],
            next_cursor=message_cursor(page[-1]) if len(rows) > limit else None,
        )


def utterance_of(message: MessageIn, client_message_id: str) -> Utterance:
    """The message as a value; raises Refused."""
    metadata_json = write_json_object("metadata", message.metadata)
    content = Content(message.text, message.audio_url, metadata_json)
    body = MessageRecorded(message.role, content, message.utterance_id, message.language)
    refuse_silence(body)
    clocks = Clocks(message.occurred_at, message.sent_at)
    return Utterance(client_message_id, body, clocks)


async def _source(
    parts: Parts, caller: Identity, conversation_id: str, message: MessageIn
) -> Source:
    if message.role is not Role.USER:
        caller.requires(Permission.ANSWER)
    return await parts.source(
        caller,
        conversation_id,
        user_id=message.user_id,
        client_id=message.client_id,
        session_id=message.session_id,
        channel=message.channel,
    )


async def _record(
    parts: Parts, source: Source, message: MessageIn, idempotency_key: str | None
) -> Recorded:
    utterance = utterance_of(message, message.id or idempotency_key or random_id())
    try:
        return await parts.talk.record(source, utterance)
    except Refused as refused:
        if refused.code is not Code.CONVERSATION_ENDED:
            raise
        event_id = source.event_id(utterance.client_message_id)
        known = await parts.recorded_before(source.tenant_id, [event_id])
        if event_id not in known:
            raise
        return known[event_id]


def _recorded(recorded: Recorded) -> dict[str, str]:
    return {"event_id": recorded.event_id, "position": str(recorded.position)}


def _interim(transcript: TranscriptIn) -> InterimTranscript:
    if not transcript.utterance_id or transcript.sequence is None:
        raise Refused(
            Code.INVALID_FRAME, "an interim transcript needs an utterance_id and a sequence from 1"
        )
    return InterimTranscript(
        transcript.utterance_id,
        transcript.sequence,
        transcript.role,
        transcript.text,
        transcript.language,
    )


def _refuse_unanswerable(parts: Parts, message: AskIn) -> None:
    """Before it is recorded: who asks for an answer gets both or neither."""
    if not message.reply:
        return
    if message.role is not Role.USER:
        raise Refused(Code.INVALID_FRAME, "only a user's message is replied to")
    if parts.answering is None:
        raise HTTPException(501, "nobody replies at this gateway")
    parts.answering.refuse_when_full()


async def _answer(parts: Parts, source: Source, recorded: Recorded, text: str) -> bool:
    """Begin the answer; False where meanwhile too many others have begun."""
    if parts.answering is None:
        return False
    manner = await _manner(parts, source)
    try:
        parts.answering.start(Asked(source, recorded.event_id, text, manner))
    except Refused as refused:
        log.warning("no_answer", message=recorded.event_id, reason=refused.code)
        return False
    return True


async def _manner(parts: Parts, source: Source) -> Manner:
    try:
        row = await parts.store.manner(source.tenant_id, source.conversation_id, source.user_id)
    except StoreUnavailable:
        # Better a plain answer than none.
        return PLAIN
    return Manner(row["personality"], row["language"])


def _message(row: Row) -> MessageOut:
    own: dict[str, Any] = dict(row)
    position = Position(own["incarnation"], own["partition"], own["log_offset"])
    return MessageOut(
        **{
            **own,
            "id": str(own["id"]),
            "text": own["content"],
            "metadata": orjson.loads(own["metadata"]) if own["metadata"] else None,
            "position": str(position),
        }
    )
