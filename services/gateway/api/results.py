"""What the passes found out, over HTTP: of a segment, of a conversation."""

from datetime import timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Query

from parley import clock
from parley.codec.validity import EARLIEST
from parley.results.coverage import Period
from parley.results.reading import Wanted
from services.gateway.access import Caller, Permission
from services.gateway.api.fields import (
    MAX_ID_CHARS,
    NO_NUL,
    ConversationId,
    Cursor,
    Moment,
    SegmentId,
    invalid,
)
from services.gateway.api.models import (
    CoverageDayOut,
    CoverageOut,
    MadeVerdictOut,
    RevisionOut,
    VerdictsOut,
    WholeSegmentOut,
)
from services.gateway.api.paging import verdict_cursor, verdict_place
from services.gateway.api.parts import Parts
from services.gateway.store import WholeSegment

SEGMENT: Final = "/api/v2/segments/{segment_id}"
COVERAGE: Final = "/api/v2/coverage"
LONGEST_PERIOD: Final = timedelta(days=366)
USUAL_PERIOD: Final = timedelta(days=30)
VERDICTS: Final = "/api/v2/conversations/{conversation_id}/verdicts"

PassName = Annotated[
    str | None, Query(alias="pass", min_length=1, max_length=MAX_ID_CHARS, pattern=NO_NUL)
]


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The routes that show them."""

    @router.get(SEGMENT, tags=["results"], summary="A segment, its revisions and verdicts")
    async def get_segment(segment_id: SegmentId, caller: Caller) -> WholeSegmentOut:
        """What was decided about it, what it was merged from or into, and what was found out."""
        caller.requires(Permission.READ)
        found = await parts.store.segment(caller.tenant_id, segment_id)
        if found is None:
            raise _unknown_segment()
        try:
            await parts.refuse_reading(caller, found.row["conversation_id"])
        except HTTPException as error:
            # Another user's segment is as unknown as one that there is not.
            raise _unknown_segment() from error
        return _whole(found)

    @router.get(VERDICTS, tags=["results"], summary="A conversation's verdicts")
    async def get_verdicts(
        conversation_id: ConversationId,
        caller: Caller,
        name: PassName = None,
        older: Annotated[
            bool,
            Query(alias="all", description="Also of former revisions and of merged segments."),
        ] = False,
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> VerdictsOut:
        """The newest first: those that count, of every version of a pass that has made one."""
        await parts.refuse_reading(caller, conversation_id)
        is_current = None if older else True
        wanted = Wanted(caller.tenant_id, conversation_id, pass_name=name, is_current=is_current)
        rows = await parts.store.verdicts(wanted, limit + 1, verdict_place(cursor))
        page = rows[:limit]
        return VerdictsOut(
            verdicts=[MadeVerdictOut.of(row) for row in page],
            next_cursor=verdict_cursor(page[-1]) if len(rows) > limit else None,
        )


def add_coverage(router: APIRouter, parts: Parts) -> None:
    """The route that tells how far the passes have come."""

    @router.get(COVERAGE, tags=["results"], summary="How far the passes have come")
    async def get_coverage(
        caller: Caller,
        name: PassName = None,
        since: Annotated[
            Moment | None, Query(description="Segments that ended then or later; 30 days back.")
        ] = None,
        until: Annotated[
            Moment | None, Query(description="Segments that ended before; now where left out.")
        ] = None,
    ) -> CoverageOut:
        """Of the caller's tenant, by pass in force and UTC day, over 366 days at most.

        A question that takes over 10 s is given up (503): ask for fewer days.
        """
        caller.requires(Permission.LIST)
        end = until or clock.now()
        # Nothing lies before what a moment may be.
        begin = since or max(EARLIEST, end - min(USUAL_PERIOD, end - EARLIEST))
        if end - begin > LONGEST_PERIOD:
            raise invalid("query", "since", "must lie at most 366 days before until")
        rows = await parts.store.coverage(caller.tenant_id, Period(begin, end), name)
        days = [CoverageDayOut(**row) for row in rows]
        return CoverageOut(since=begin, until=end, coverage=days)


def _unknown_segment() -> HTTPException:
    return HTTPException(404, "no segment of this id is stored")


def _whole(found: WholeSegment) -> WholeSegmentOut:
    own: dict[str, Any] = dict(found.row)
    for name in ("segment_id", "merged_into", "continues"):
        own[name] = None if own[name] is None else str(own[name])
    return WholeSegmentOut(
        **{**own, "absorbed": [str(one) for one in own["absorbed"]]},
        revisions=[RevisionOut(**row) for row in found.revisions],
        verdicts=[MadeVerdictOut.of(row) for row in found.verdicts if row["is_current"]],
        former_verdicts=[MadeVerdictOut.of(row) for row in found.verdicts if not row["is_current"]],
    )
