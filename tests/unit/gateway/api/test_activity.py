"""The live view over HTTP: of the caller's tenant, with its age, and no zeros for nobody."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.routing import APIRouter

from parley.activity.figures import NO_WORKER, WINDOWS, Activity, ActivityState, Counts, Group
from parley.config import AccessRole
from services.gateway.access import Identity
from services.gateway.api import problems
from services.gateway.api.activity import PATH, add_reading
from services.gateway.api.models import ActivityOut
from services.gateway.api.parts import Parts
from services.gateway.store import StoreUnavailable

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
COUNTED = Activity(
    ActivityState.INCOMPLETE,
    {Group("acme", "phone"): dict.fromkeys(WINDOWS, Counts(3, 2, 7, 9, 1))},
    NOON,
    timedelta(seconds=1.5),
    ["3 of 4 partitions are measured"],
)


class FakeStore:
    """Tables that say one thing, or that are away; it notes who asked."""

    def __init__(self, found: Activity | None) -> None:
        self.asked: list[str] = []
        self._found = found

    async def activity(self, tenant_id: str) -> Activity:
        self.asked.append(tenant_id)
        if self._found is None:
            raise StoreUnavailable
        return self._found


async def ask(store: FakeStore, role: AccessRole = AccessRole.READER) -> httpx.Response:
    app, router = FastAPI(), APIRouter()
    problems.install(app)
    add_reading(router, cast(Parts, SimpleNamespace(store=store)))
    app.include_router(router)

    @app.middleware("http")
    async def identify(request: Request, go_on: Any) -> Any:
        request.state.caller = Identity("acme", "s", frozenset({role}), "s")
        return await go_on(request)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.get(PATH)


async def test_figures_come_with_their_age_and_what_is_missing() -> None:
    store = FakeStore(COUNTED)
    found = (await ask(store)).json()
    assert store.asked == ["acme"]
    assert found["state"] == "incomplete"
    assert (found["measured_at"], found["age_seconds"]) == ("2026-01-31T12:00:00Z", 1.5)
    assert found["reasons"] == ["3 of 4 partitions are measured"]
    [channel] = found["channels"]
    assert channel["channel"] == "phone"
    assert channel["windows"] == found["total"]
    assert found["total"][1] == {
        "window_seconds": 300,
        "messages": 3,
        "conversations": 2,
        "user_words": 7,
        "assistant_words": 9,
        "audio_messages": 1,
    }


async def test_without_a_worker_there_are_no_figures_rather_than_zeros() -> None:
    answer = await ask(FakeStore(NO_WORKER))
    assert answer.status_code == 200
    assert answer.json() == {
        "state": "no_worker",
        "measured_at": None,
        "age_seconds": None,
        "reasons": ["no activity worker has measured for 15 seconds"],
        "total": None,
        "channels": None,
    }


@pytest.mark.parametrize(
    ("role", "status"),
    [
        (AccessRole.USER, 403),
        (AccessRole.IMPORTER, 403),
        (AccessRole.AGENT, 200),
        (AccessRole.READER, 200),
        (AccessRole.OPERATOR, 200),
    ],
)
async def test_those_see_it_who_may_look_through_all_conversations(
    role: AccessRole, status: int
) -> None:
    answer = await ask(FakeStore(COUNTED), role)
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "forbidden"


async def test_without_postgresql_it_is_503_with_retry_after() -> None:
    answer = await ask(FakeStore(None))
    assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_the_examples_of_the_documentation_are_possible_answers() -> None:
    for example in ActivityOut.model_json_schema()["examples"]:
        assert ActivityOut.model_validate(example)
