"""Conversations and their messages over HTTP, as the persister has stored them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

import orjson
from fastapi import APIRouter, Depends, Header, HTTPException, Query
from fastapi.exceptions import RequestValidationError

from parley.position import InvalidPosition, Position
from services.gateway.api.models import (
    ConversationId,
    ConversationOut,
    MessageOut,
    MessagesOut,
    SegmentOut,
    SessionOut,
    VerdictOut,
)
from services.gateway.api.problems import documented
from services.gateway.store import Overview, Place, Row, Segment, Store

PATIENCE_S: Final = 2.0
_PROBLEMS: Final = documented(403, 422, 503)

After = Annotated[
    str | None,
    Header(
        alias="X-Parley-After",
        description="The position of a write: the answer waits, 2 s at most, until it shows it.",
    ),
]


def reading_router(store: Store) -> APIRouter:
    """The routes that read."""

    async def caught_up(after: After = None) -> None:
        if after is not None:
            await store.wait_until_stored(_position(after), PATIENCE_S)

    router = APIRouter(
        prefix="/api/v2/conversations/{conversation_id}",
        tags=["conversations"],
        dependencies=[Depends(caught_up)],
        responses=_PROBLEMS,
    )

    @router.get("", summary="A conversation", responses=documented(404))
    async def get_conversation(conversation_id: ConversationId) -> ConversationOut:
        """Counts, the newest sessions, and the newest segments with their verdicts."""
        overview = await store.overview(conversation_id)
        if overview is None:
            raise HTTPException(404, "no conversation of this id is stored")
        return _conversation(overview)

    @router.get("/messages", summary="The messages of a conversation")
    async def get_messages(
        conversation_id: ConversationId,
        cursor: Annotated[str | None, Query(description="`next_cursor` of the last page")] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> MessagesOut:
        """In order of their time; empty for a conversation that nobody knows."""
        after = Place() if cursor is None else _place(cursor)
        # One more than asked, to know whether there is another page.
        rows = await store.messages(conversation_id, after, limit + 1)
        has_more = len(rows) > limit
        rows = rows[:limit]
        return MessagesOut(
            messages=[_message(row) for row in rows],
            next_cursor=_cursor(rows[-1]) if has_more else None,
        )

    return router


def _position(text: str) -> Position:
    try:
        return Position.parse(text)
    except InvalidPosition as error:
        raise _invalid("header", "X-Parley-After", str(error)) from error


def _cursor(row: Row) -> str:
    place = orjson.dumps([row["event_time"], str(row["id"])])
    return urlsafe_b64encode(place).decode().rstrip("=")


def _place(cursor: str) -> Place:
    try:
        time, event_id = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        moment = datetime.fromisoformat(time)
        place = Place(moment, str(UUID(event_id)))
    except (ValueError, TypeError, AttributeError) as error:
        raise _invalid("query", "cursor", "not a cursor that Parley gave out") from error
    if moment.tzinfo is None:
        raise _invalid("query", "cursor", "not a cursor that Parley gave out")
    return place


def _invalid(where: str, name: str, message: str) -> RequestValidationError:
    return RequestValidationError([{"loc": (where, name), "msg": message, "type": "value_error"}])


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


def _conversation(overview: Overview) -> ConversationOut:
    return ConversationOut(
        **overview.conversation,
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
