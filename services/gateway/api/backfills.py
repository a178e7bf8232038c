"""Backfills over HTTP: begun, looked at, paused, resumed and cancelled; analyzers do the work."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Query

from parley.backfilling.core import Filters
from parley.backfilling.request import BackfillRequest
from parley.backfilling.runs import Act, Progress, RunState
from parley.errors import UserError
from parley.ids import derived_id
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import UUID_PATTERN, IdempotencyKey, invalid
from services.gateway.api.models import BackfillIn, BackfillOut, BackfillsOut
from services.gateway.api.models.backfills import RUN_ID
from services.gateway.api.parts import Parts

PATH: Final = "/api/v2/backfills"
# Where a run is once it was told so: told twice is as good as once.
_DONE: Final = {
    Act.PAUSE: (RunState.PAUSED,),
    Act.RESUME: (RunState.RUNNING,),
    Act.CANCEL: (RunState.CANCELLING, RunState.CANCELLED),
}

RunId = Annotated[str, Path(pattern=UUID_PATTERN, examples=[RUN_ID])]


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The routes that show runs."""

    @router.get(PATH, tags=["results"], summary="Backfills, the newest first")
    async def get_backfills(
        caller: Caller, limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> BackfillsOut:
        """Those of the caller's tenant; one over all tenants is seen by `parley backfill list`."""
        caller.requires(Permission.LIST)
        found = await parts.store.backfills.newest(caller.tenant_id, limit)
        return BackfillsOut(backfills=[BackfillOut.of(one) for one in found])

    @router.get(PATH + "/{run_id}", tags=["results"], summary="A backfill, and how far it is")
    async def get_backfill(run_id: RunId, caller: Caller) -> BackfillOut:
        """What it found, by pass, and what became of its jobs."""
        caller.requires(Permission.LIST)
        return BackfillOut.of(await _known(parts, caller, run_id))


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The routes that begin runs, and tell what is to become of them."""

    @router.post(PATH, status_code=201, tags=["results"], summary="Begin a backfill")
    async def post_backfill(
        wanted: BackfillIn, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> BackfillOut:
        """Over segments of the caller's tenant.

        The analyzers take it up within about a second. What is covered gets no job, so the same
        again adds nothing.
        """
        caller.requires(Permission.OPERATE)
        run_id = None
        if idempotency_key is not None:
            run_id = derived_id("backfill", caller.tenant_id, caller.subject, idempotency_key)
        try:
            found = await parts.store.backfills.begin(
                wanted.passes,
                _request(wanted, caller.tenant_id),
                caller.subject,
                run_id,
                takes_all=wanted.all,
            )
        except UserError as error:
            raise invalid("body", "passes", error.problem) from error
        return BackfillOut.of(found)

    for act in Act:
        _add_act(router, parts, act)


def _add_act(router: APIRouter, parts: Parts, act: Act) -> None:
    async def post_act(
        run_id: RunId, caller: Caller, idempotency_key: IdempotencyKey = None
    ) -> BackfillOut:
        """Twice is as good as once; 409 where the run has ended."""
        caller.requires(Permission.OPERATE)
        await _known(parts, caller, run_id)
        is_done = await parts.store.backfills.act(run_id, act, caller.subject)
        found = await _known(parts, caller, run_id)
        if not is_done and found.run.state not in _DONE[act]:
            raise HTTPException(409, f"the backfill is {found.run.state.value}")
        return BackfillOut.of(found)

    router.add_api_route(
        f"{PATH}/{{run_id}}/{act.value}",
        post_act,
        methods=["POST"],
        name=f"{act.value}_backfill",
        tags=["results"],
        summary=f"{act.value.capitalize()} a backfill",
    )


async def _known(parts: Parts, caller: Identity, run_id: str) -> Progress:
    found = await parts.store.backfills.one(caller.tenant_id, run_id)
    if found is None:
        raise HTTPException(404, "no backfill of yours has this id")
    return found


def _request(wanted: BackfillIn, tenant_id: str) -> BackfillRequest:
    return BackfillRequest(
        passes=(),
        filters=Filters(
            since=wanted.since,
            until=wanted.until,
            tenant_id=tenant_id,
            channel=wanted.channel,
            conversation_id=wanted.conversation_id,
        ),
        limit=wanted.limit,
        is_newest_first=wanted.newest_first,
        is_from_segments=wanted.from_segments,
        rate=wanted.rate,
        concurrency=wanted.concurrency,
        budget_micro_usd=wanted.budget_micro_usd,
    )
