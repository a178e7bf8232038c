"""Conversations over HTTP: created, listed, shown with all that is known of them, and ended."""

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query

from parley.events import ConversationCreated, ConversationState
from parley.ids import derived_id, random_id
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import (
    MAX_ID_CHARS,
    NO_NUL,
    ConversationId,
    Cursor,
    IdempotencyKey,
    Moment,
)
from services.gateway.api.models import (
    ConversationCreatedOut,
    ConversationIn,
    ConversationOut,
    ConversationsOut,
    ConversationSummaryOut,
    EndedOut,
    EndIn,
    SegmentOut,
    SessionOut,
    VerdictOut,
)
from services.gateway.api.paging import conversation_cursor, conversation_place
from services.gateway.api.parts import Parts, counted, unknown_conversation
from services.gateway.api.problems import documented
from services.gateway.core.events import Said, Source
from services.gateway.core.fields import write_json_object
from services.gateway.core.frames import Transition
from services.gateway.core.refusals import Code, Refused
from services.gateway.store import Overview, Row, Search, Segment

POST_CONVERSATION: Final = "post_conversation"
PUT_END: Final = "put_end"
PATH: Final = "/api/v2/conversations"
MAX_SEARCH_CHARS: Final = 200

Text = Annotated[str | None, Query(min_length=1, max_length=MAX_SEARCH_CHARS, pattern=NO_NUL)]


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The routes that begin and end conversations."""

    @router.post(PATH, status_code=201, tags=["conversations"], summary="Create a conversation")
    async def post_conversation(
        conversation: ConversationIn, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> ConversationCreatedOut:
        """Not needed before the first message. Of an id that is there the facts are the latest."""
        conversation_id = conversation.id or _new_id(
            caller, conversation.client_id, idempotency_key
        )
        return await counted(
            POST_CONVERSATION,
            create(parts, caller, conversation_id, conversation, idempotency_key),
        )

    @router.put(
        f"{PATH}/{{conversation_id}}/end",
        tags=["conversations"],
        summary="End a conversation",
        responses=documented(409),
    )
    async def put_end(
        conversation_id: ConversationId, caller: Caller, end: EndIn | None = None
    ) -> EndedOut:
        """Messages are refused from then on, until it is reopened. Twice is as good as once."""
        wanted = end or EndIn()

        async def finish() -> EndedOut:
            source = await parts.source(
                caller, conversation_id, user_id=wanted.user_id, client_id=wanted.client_id
            )
            position = await _end(parts, source, wanted.cause)
            state = ConversationState.ENDED
            return EndedOut(conversation_id=conversation_id, state=state, position=position)

        return await counted(PUT_END, finish())


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The routes that show conversations."""

    @router.get(PATH, tags=["conversations"], summary="List conversations")
    async def get_conversations(  # noqa: PLR0917 - FastAPI passes them by name
        caller: Caller,
        user_id: Annotated[str | None, Query(max_length=MAX_ID_CHARS, pattern=NO_NUL)] = None,
        state: ConversationState | None = None,
        active_since: Annotated[
            Moment | None, Query(description="Something was said then, or later.")
        ] = None,
        active_before: Annotated[
            Moment | None, Query(description="Nothing was said since then.")
        ] = None,
        is_active: Annotated[bool | None, Query(description="Whether a session is open.")] = None,
        text: Annotated[
            Text, Query(description="In the title, the id or a message; case does not matter.")
        ] = None,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ConversationsOut:
        """The one that was last active first; one that goes on meanwhile may come again.

        A search for a text that takes over 5 s is given up (503): narrow it by the other filters.
        """
        after = conversation_place(cursor)
        user_id = _visible_user(caller, user_id)
        search = Search(user_id, state, active_since, active_before, is_active, text)
        rows = await parts.store.conversations(caller.tenant_id, search, after, limit + 1)
        page = rows[:limit]
        return ConversationsOut(
            conversations=[ConversationSummaryOut(**_facts(row)) for row in page],
            next_cursor=conversation_cursor(page[-1]) if len(rows) > limit else None,
        )

    @router.get(f"{PATH}/{{conversation_id}}", tags=["conversations"], summary="A conversation")
    async def get_conversation(conversation_id: ConversationId, caller: Caller) -> ConversationOut:
        """Counts, the newest sessions, and the newest segments with their verdicts."""
        await parts.refuse_reading(caller, conversation_id)
        overview = await parts.store.overview(caller.tenant_id, conversation_id)
        if overview is None:
            raise unknown_conversation()
        return _conversation(overview)


async def create(
    parts: Parts,
    caller: Identity,
    conversation_id: str,
    conversation: ConversationIn,
    idempotency_key: str | None,
) -> ConversationCreatedOut:
    """Write a conversation's first facts; raises Refused."""
    source = await parts.source(
        caller,
        conversation_id,
        user_id=conversation.user_id,
        client_id=conversation.client_id,
        channel=conversation.channel,
    )
    metadata_json = write_json_object("metadata", conversation.metadata)
    body = ConversationCreated(conversation.title, conversation.personality, metadata_json)
    name = f"create:{idempotency_key or random_id()}"
    said = Said(source.event_id(name), body, client_message_id=name)
    recorded = await parts.publisher.record(source, said)
    return ConversationCreatedOut(conversation_id=conversation_id, position=str(recorded.position))


def _new_id(caller: Identity, client_id: str, key: str | None) -> str:
    if key is None:
        return random_id()
    return derived_id("conversation", caller.tenant_id, caller.subject, client_id, key)


async def _end(parts: Parts, source: Source, cause: str) -> str | None:
    """End it; the position of the end, None where it had ended before. Raises Refused."""
    wanted = Transition(random_id(), ConversationState.ENDED, cause)
    try:
        change = await parts.talk.transition(source, wanted)
    except Refused as refused:
        is_over = refused.code in (Code.INVALID_TRANSITION, Code.TRANSITION_LOST)
        if is_over and refused.state is ConversationState.ENDED:
            return None
        raise
    return str(change.recorded.position)


def _visible_user(caller: Identity, user_id: str | None) -> str | None:
    """Whose conversations are listed: users see their own, whatever they ask for."""
    if caller.may(Permission.LIST):
        return user_id
    caller.requires(Permission.READ)
    if user_id not in (None, caller.user_id):
        raise Refused(Code.FORBIDDEN, "your token lists your own conversations")
    return caller.user_id


def _facts(row: Row) -> dict[str, Any]:
    own: dict[str, Any] = dict(row)
    is_ended = own["state"] == ConversationState.ENDED
    status = "active" if own["is_active"] else "quiet"
    metadata = orjson.loads(own["metadata"]) if own["metadata"] else None
    return {**own, "metadata": metadata, "status": "ended" if is_ended else status}


def _conversation(overview: Overview) -> ConversationOut:
    return ConversationOut(
        **_facts(overview.conversation),
        sessions=[SessionOut(**row) for row in overview.sessions],
        segments=[_segment(one) for one in overview.segments],
    )


def _segment(segment: Segment) -> SegmentOut:
    verdicts = [
        VerdictOut(pass_name=one.pass_name, pass_version=one.pass_version, output=one.output)
        for one in segment.verdicts
    ]
    own: dict[str, Any] = dict(segment.row)
    return SegmentOut(**{**own, "segment_id": str(own["segment_id"]), "verdicts": verdicts})
