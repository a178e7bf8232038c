"""What users prefer, over HTTP: written whole into the log, read from the table."""

from typing import Any, Final

import orjson
from fastapi import APIRouter

from parley.events import PreferencesChanged
from parley.ids import random_id
from services.gateway.access import Caller, Identity, Permission
from services.gateway.api.fields import PREFERENCES, UserId
from services.gateway.api.models import PreferencesChangedOut, PreferencesIn, PreferencesOut
from services.gateway.api.parts import Parts, counted
from services.gateway.core.events import Said
from services.gateway.core.fields import write_json_object
from services.gateway.core.refusals import Code, Refused

PUT_PREFERENCES: Final = "put_preferences"
PATH: Final = "/api/v2/users/{user_id}/preferences"


def add_writing(router: APIRouter, parts: Parts) -> None:
    """The route that sets them."""

    @router.put(PATH, tags=["users"], summary="Set what a user prefers")
    async def put_preferences(
        user_id: UserId, wanted: PreferencesIn, caller: Caller
    ) -> PreferencesChangedOut:
        """All of it: what is left out is empty from then on. The latest one counts."""

        async def change() -> PreferencesChangedOut:
            caller.requires(Permission.TALK)
            caller.speaks_as(user_id)
            parts.spend(caller, user_id)
            # It belongs to no conversation, but an order it needs, and its key gives it one.
            source = parts.publisher.source(
                f"{PREFERENCES}{user_id}",
                "",
                caller.tenant_id,
                sender=caller.subject,
                user_id=user_id,
            )
            free_json = write_json_object("free", wanted.free)
            body = PreferencesChanged(wanted.personality, wanted.language, wanted.voice, free_json)
            recorded = await parts.publisher.record(source, Said(random_id(), body))
            return PreferencesChangedOut(
                event_id=recorded.event_id, position=str(recorded.position)
            )

        return await counted(PUT_PREFERENCES, change())


def add_reading(router: APIRouter, parts: Parts) -> None:
    """The route that tells them."""

    @router.get(PATH, tags=["users"], summary="What a user prefers")
    async def get_preferences(user_id: UserId, caller: Caller) -> PreferencesOut:
        """As it is stored; all empty for a user who said nothing yet."""
        _refuse_strangers(caller, user_id)
        row = await parts.store.preferences(caller.tenant_id, user_id)
        if row is None:
            return PreferencesOut(user_id=user_id)
        own: dict[str, Any] = dict(row)
        free = orjson.loads(own["free"]) if own["free"] else {}
        return PreferencesOut(**{**own, "user_id": user_id, "free": free})


def _refuse_strangers(caller: Identity, user_id: str) -> None:
    caller.requires(Permission.READ)
    if not caller.may(Permission.LIST) and user_id != caller.user_id:
        raise Refused(Code.FORBIDDEN, "your token reads your own preferences")
