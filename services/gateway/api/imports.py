"""Imports of messages of the past over HTTP: begun, and finished."""

from typing import Annotated, Final

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from parley.events import ImportOutcome
from parley.position import Position
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import IdempotencyKey, ImportId
from services.gateway.api.import_log import ImportLog
from services.gateway.api.models import Id, Request
from services.gateway.api.parts import Parts, counted

POST_IMPORT: Final = "post_import"
POST_IMPORT_FINISH: Final = "post_import_finish"


class ImportIn(Request):
    """The name of what is imported."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"source": "old-helpdesk, export of 2026-01"}]}
    )

    source: Annotated[Id, Field(min_length=1)] = Field(
        description="The same source is the same import: give it a name of its own."
    )


class ImportStartedOut(BaseModel):
    """The import has begun, in every partition."""

    import_id: str
    positions: list[str]


class ImportFinishIn(Request):
    """How the import ended."""

    outcome: ImportOutcome = ImportOutcome.COMPLETED


class ImportFinishedOut(BaseModel):
    """The import is over, in every partition."""

    import_id: str
    outcome: ImportOutcome
    positions: list[str]


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The routes that begin and end imports."""

    @router.post("/api/v2/imports", status_code=201, tags=["servers"], summary="Begin an import")
    async def post_import(
        wanted: ImportIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> ImportStartedOut:
        """Then send its messages by `events:batch`, in the order of their times, and finish it.

        Twice is as good as once. What is imported is sealed when it is finished, or when nothing
        came for long.
        """

        async def start() -> ImportStartedOut:
            caller.requires(Permission.IMPORT)
            import_id, starts = await imports_of(parts, caller).start(
                caller.tenant_id, wanted.source
            )
            return ImportStartedOut(import_id=import_id, positions=_positions(starts))

        return await counted(POST_IMPORT, start())

    @router.post("/api/v2/imports/{import_id}/finish", tags=["servers"], summary="Finish an import")
    async def post_import_finish(
        import_id: ImportId,
        end: ImportFinishIn,
        caller: Caller,
        idempotency_key: IdempotencyKey = None,
    ) -> ImportFinishedOut:
        """Twice is as good as once; that the import was ever started is not checked."""

        async def finish() -> ImportFinishedOut:
            caller.requires(Permission.IMPORT)
            ends = await imports_of(parts, caller, import_id).finish(import_id, end.outcome)
            return ImportFinishedOut(
                import_id=import_id, outcome=end.outcome, positions=_positions(ends)
            )

        return await counted(POST_IMPORT_FINISH, finish())


def imports_of(parts: Parts, caller: Identity, import_id: str | None = None) -> ImportLog:
    """The imports, for one that this caller may write; raises HTTPException."""
    if parts.imports is None:
        raise HTTPException(501, "this gateway takes no imports")
    if import_id is not None and not parts.imports.may_exist(caller.tenant_id, import_id):
        raise HTTPException(404, "no import of yours has this id")
    return parts.imports


def _positions(places: list[Position]) -> list[str]:
    return [str(one) for one in places]
