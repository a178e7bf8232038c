"""What holds for every route: preferences as an example, problems, waiting, and limits."""

from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import httpx
import pytest

from parley.db.schema.conversations import user_preferences
from parley.events import PreferencesChanged
from parley.position import Position
from parley.settings import Settings
from tests.integration.gateway.clients import logged, place
from tests.integration.gateway.rest import CONVERSATIONS, PROBLEM, Answer, Program, program_of
from tests.integration.gateway.rows import insert
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

PREFERENCES = "/api/v2/users/u/preferences"
MESSAGES = f"{CONVERSATIONS}/c/messages"
EMPTY: Answer = {"personality": "", "language": "", "voice": "", "free": {}}


@pytest.fixture
async def program(gateway: ServiceProcess) -> AsyncIterator[Program]:
    async with program_of(gateway) as made:
        yield made


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


@pytest.mark.usefixtures("persister")
async def test_preferences_are_set_whole_and_each_user_has_their_own(
    settings: Settings, program: Program
) -> None:
    assert await program.reads(PREFERENCES) == {"user_id": "u", **EMPTY, "updated_at": None}
    first = {"personality": "brief", "language": "de", "voice": "v-2", "free": {"font": 14}}
    set_first = await program.writes(PREFERENCES, first, method="PUT", status=200)
    other = "/api/v2/users/v/preferences"
    set_other = await program.writes(other, {"language": "en"}, method="PUT", status=200)
    found = await program.reads(PREFERENCES, set_first, set_other)
    assert {name: found[name] for name in first} == first
    assert found["updated_at"] is not None
    set_second = await program.writes(PREFERENCES, {"voice": "v-3"}, method="PUT", status=200)
    found = await program.reads(PREFERENCES, set_second)
    assert {name: found[name] for name in EMPTY} == {**EMPTY, "voice": "v-3"}
    assert (await program.reads(other))["language"] == "en"
    (where, event), _ = await logged(settings, "preferences:u")
    assert (where, event.user_id) == (place(set_first["position"]), "u")
    assert isinstance(event.body, PreferencesChanged)


@pytest.mark.usefixtures("persister")
async def test_preferences_are_no_conversation(program: Program) -> None:
    written = await program.writes(PREFERENCES, {"voice": "v"}, method="PUT", status=200)
    assert await program.lists(written) == []
    await program.is_refused(404, "not_found", f"{CONVERSATIONS}/preferences:u")


async def test_another_tenants_users_of_the_same_name_are_others(
    pool: Any, program: Program
) -> None:
    await insert(pool, user_preferences, tenant_id="other", user_id="u", voice="v")
    assert (await program.reads(PREFERENCES))["voice"] == ""


async def test_every_refusal_is_a_problem(program: Program) -> None:
    json: dict[str, Any] = {"text": "hello"}
    await program.is_refused(404, "not_found", "/api/v2/nothing")
    for path, method in ((MESSAGES, "DELETE"), (CONVERSATIONS, "PUT"), (PREFERENCES, "POST")):
        await program.is_refused(405, "method_not_allowed", path, method)
    for content, kind in ((b"text=hello", "application/x-www-form-urlencoded"), (b"hello", "text")):
        await program.is_refused(
            415,
            "unsupported_media_type",
            MESSAGES,
            "POST",
            content=content,
            headers={"content-type": kind},
        )
    await program.is_refused(
        413, "request_entity_too_large", MESSAGES, "POST", json={"text": "x" * 70_000}
    )
    wrong: dict[str, Answer] = {
        "text": {"text": 1},
        "role": {"role": "king"},
        "tone": {"tone": "kind"},
    }
    for field, more in wrong.items():
        problem = await program.is_refused(
            422, "invalid_request", MESSAGES, "POST", json={**json, **more}
        )
        assert [one["field"] for one in problem["errors"]] == [f"body.{field}"]
    keyed = {"Idempotency-Key": "x" * 600}
    await program.is_refused(422, "invalid_request", MESSAGES, "POST", json=json, headers=keyed)


async def test_a_route_refuses_ids_that_cannot_be_stored(program: Program) -> None:
    for one in ("%00", "a%00b", "x" * 513):
        path = f"{CONVERSATIONS}/{one}"
        for method, route in (
            ("GET", path),
            ("GET", f"{path}/messages"),
            ("POST", f"{path}/messages"),
            ("PUT", f"{path}/end"),
            ("GET", f"/api/conversations/{one}/state"),
            ("POST", f"/api/conversations/{one}/state"),
            ("GET", f"/api/v2/users/{one}/preferences"),
            ("PUT", f"/api/v2/users/{one}/preferences"),
        ):
            body: Answer = {} if method == "GET" else {"json": {}}
            await program.is_refused(422, "invalid_request", route, method, **body)


async def test_every_read_waits_for_what_was_written(program: Program) -> None:
    """Without a persister it waits in vain."""
    said = await program.writes(MESSAGES, {"text": "hello"})
    routes = await _reading_routes(program.http)
    assert len(routes) >= 5
    for route in routes:
        after = {"X-Parley-After": said["position"]}
        await program.is_refused(503, "not_stored_yet", route, headers=after)
        for wrong in ("x", "", f"{10**30}", str(Position("i", 1, 2**63))):
            await program.is_refused(
                422, "invalid_request", route, headers={"X-Parley-After": wrong}
            )


async def _reading_routes(http: httpx.AsyncClient) -> list[str]:
    """Every documented GET of what is stored, filled in, which all document the header."""
    paths = (await http.get("/openapi.json")).json()["paths"]
    reads = {path: found["get"] for path, found in paths.items() if "get" in found}
    api = {path: found for path, found in reads.items() if path.startswith("/api/")}
    # Sums that are a few seconds behind, and runs: no message's position bears on them.
    behind = ("/api/v2/activity", "/api/v2/coverage", "/api/v2/backfills")
    api = {path: found for path, found in api.items() if not path.startswith(behind)}
    for path, found in api.items():
        names = {one["name"].lower() for one in found["parameters"]}
        assert "x-parley-after" in names, path
    return [path.format(conversation_id="c", user_id="u", segment_id=UUID(int=1)) for path in api]


async def test_every_answer_is_documented(program: Program) -> None:
    document = (await program.http.get("/openapi.json")).json()
    for path, methods in document["paths"].items():
        if not path.startswith("/api/"):
            continue
        for method, operation in methods.items():
            wanted = {"401", "403", "503"}
            if operation.get("parameters"):
                wanted |= {"422"}
            if "{" in path:
                wanted |= {"404"}
            if method != "get":
                wanted |= {"413", "415"}
                # Backfills are few, and an operator's: nobody counts their rate.
                wanted |= set() if path.startswith("/api/v2/backfills") else {"429"}
            assert wanted <= set(operation["responses"]), (method, path)
            refusals = {int(one) for one in operation["responses"] if int(one) >= 400}
            for status in refusals:
                assert PROBLEM in operation["responses"][str(status)]["content"], (method, path)
            if method == "post":
                names = {one["name"].lower() for one in operation["parameters"]}
                assert "idempotency-key" in names, path


async def test_a_user_who_writes_too_much_is_told_when_to_go_on(settings: Settings) -> None:
    few = {"PARLEY_GATEWAY_RATE_PER_USER": "0.1", "PARLEY_GATEWAY_BURST_PER_USER": "3"}
    with ServiceProcess("gateway", settings, **few) as gateway:
        async with program_of(gateway) as program:
            mine = {"text": "hello", "user_id": "u"}
            for _ in range(3):
                await program.writes(MESSAGES, mine)
            answered = await program.http.post(MESSAGES, json=mine)
            assert (answered.status_code, answered.json()["code"]) == (429, "rate_limited")
            assert 1 <= int(answered.headers["retry-after"]) <= 10
            for path in ("/api/conversations/c/state", "/api/conversations/c/ai-response"):
                body = {"text": "x"} if path.endswith("response") else {"state": "listening"}
                await program.is_refused(
                    429, "rate_limited", path, "POST", json={**body, "user_id": "u"}
                )
            await program.is_refused(429, "rate_limited", PREFERENCES, "PUT", json={})
            await program.writes(MESSAGES, {"text": "hello", "user_id": "v"})
    assert len(await logged(settings, "c")) == 4
