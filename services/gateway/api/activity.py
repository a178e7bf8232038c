"""The live view over HTTP: messages, active conversations and speech of the last minutes."""

from typing import Final

from fastapi import APIRouter

from services.gateway.access import Caller, Permission
from services.gateway.api.models import ActivityOut
from services.gateway.api.parts import Parts

PATH: Final = "/api/v2/activity"


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The route that tells it."""

    @router.get(PATH, tags=["activity"], summary="What is said now, by channel")
    async def get_activity(caller: Caller) -> ActivityOut:
        """Of the caller's tenant, over the last 1, 5 and 15 minutes.

        Counted in memory by a worker of its own, which may lose or double a little when it
        crashes. Where none runs the answer says `no_worker`, and holds no figures.
        """
        caller.requires(Permission.LIST)
        return ActivityOut.of(await parts.store.activity(caller.tenant_id))
