"""Tells how many events were acknowledged in a stretch of time, for `parley ledger`."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from services.gateway.stream import Publisher

Moment = Annotated[AwareDatetime, Query()]


def acknowledged_router(publisher: Publisher) -> APIRouter:
    """The route /acknowledged; it is for the command, and no part of the API."""
    router = APIRouter(include_in_schema=False)

    @router.get("/acknowledged")
    async def acknowledged(since: Moment, until: Moment) -> dict[str, str | int | datetime]:
        counted = publisher.acknowledged
        return {
            "gateway_id": publisher.gateway_id,
            "since": counted.since,
            "acknowledged": counted.between(since, until),
        }

    return router
