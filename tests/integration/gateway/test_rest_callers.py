"""Who may do what over HTTP, with access control: users, servers, readers and other tenants."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from parley import clock
from parley.codec.config import config_record
from parley.config import ConfigChange, Tenant
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import connected, logged
from tests.integration.gateway.rest import CONVERSATIONS, Program, program_of
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually
from tests.unit.gateway.access import issuer

pytestmark = pytest.mark.integration

CONVERSATION = f"{CONVERSATIONS}/c"
MESSAGES = f"{CONVERSATION}/messages"
STATE = "/api/conversations/c/state"
TRANSCRIPT = "/api/conversations/c/transcript"
AI_RESPONSE = "/api/conversations/c/ai-response"
HELLO: dict[str, Any] = {"text": "hello"}


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


@pytest.fixture
async def guarded(settings: Settings, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    """A gateway that knows two tenants and wants a token of the tests' issuer."""
    variables = {
        "PARLEY_GATEWAY_ACCESS": "on",
        "PARLEY_GATEWAY_JWKS_FILE": str(issuer.write_key_set(tmp_path)),
        "PARLEY_GATEWAY_JWT_AUDIENCE": issuer.AUDIENCE,
        "PARLEY_GATEWAY_JWT_ISSUER": issuer.ISSUER,
    }
    producer = Producer(settings)
    await producer.start()
    for tenant_id in ("acme", "other"):
        change = ConfigChange(tenant_id, "test", clock.now(), Tenant(tenant_id))
        await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    await producer.stop()
    with ServiceProcess("gateway", settings, **variables) as process:
        async with caller(process, "reader", tenant="other") as last:
            # The tenants were written before it started, but it may be still reading.
            await eventually(lambda: _gets_in(last))
        yield process


async def _gets_in(program: Program) -> bool:
    return (await program.http.get(CONVERSATIONS)).status_code == 200


def caller(
    gateway: ServiceProcess, *roles: str, **changed: Any
) -> AbstractAsyncContextManager[Program]:
    """A program with a token of these roles."""
    token = issuer.token(roles=list(roles), **changed)
    return program_of(gateway, authorization=f"Bearer {token}")


@pytest.mark.usefixtures("persister")
async def test_a_user_sees_and_writes_only_its_own_conversations(
    settings: Settings, guarded: ServiceProcess
) -> None:
    async with caller(guarded, "user") as owner, caller(guarded, "user", sub="user-2") as stranger:
        said = await owner.writes(MESSAGES, HELLO)
        after = {"X-Parley-After": said["position"]}
        shown = await owner.reads(CONVERSATION, said)
        assert shown["user_id"] == "user-1"
        assert await owner.lists() == ["c"]
        assert (await owner.reads(STATE))["state"] == "idle"
        for path in (CONVERSATION, MESSAGES, STATE):
            problem = await stranger.http.get(path, headers=after)
            assert problem.status_code == 404, (path, problem.text)
        for path in (MESSAGES, TRANSCRIPT):
            await stranger.is_refused(404, "no_conversation", path, "POST", json=HELLO)
        wanted = {"state": "listening"}
        await stranger.is_refused(404, "no_conversation", STATE, "POST", json=wanted)
        await stranger.is_refused(404, "no_conversation", f"{CONVERSATION}/end", "PUT")
        await stranger.is_refused(404, "no_conversation", CONVERSATIONS, "POST", json={"id": "c"})
        sessions = f"{CONVERSATION}/sessions"
        await stranger.is_refused(404, "no_conversation", sessions, "POST", json={})
        assert await stranger.lists() == []
        await stranger.is_refused(403, "forbidden", f"{CONVERSATIONS}?user_id=user-1")
        assert len(await logged(settings, "c")) == 1
        own = await stranger.writes(f"{CONVERSATIONS}/d/messages", HELLO)
        assert await stranger.lists(own) == ["d"]


async def test_a_conversation_is_its_first_users_before_it_is_stored(
    settings: Settings, guarded: ServiceProcess
) -> None:
    async with caller(guarded, "user") as owner, caller(guarded, "user", sub="user-2") as stranger:
        await owner.writes(MESSAGES, HELLO)
        await stranger.is_refused(404, "no_conversation", MESSAGES, "POST", json=HELLO)
    assert len(await logged(settings, "c")) == 1


@pytest.mark.usefixtures("persister")
async def test_a_stranger_does_not_get_in_over_the_websocket_either(
    guarded: ServiceProcess,
) -> None:
    token = issuer.token(sub="user-2")
    async with caller(guarded, "user") as owner:
        said = await owner.writes(MESSAGES, HELLO)
        await owner.reads(CONVERSATION, said)
        async with connected(guarded, "c", authorization=f"Bearer {token}") as stranger:
            await stranger.send("hello")
            refusal = await stranger.receive()
    assert (refusal["type"], refusal["payload"].get("code")) == ("error", "no_conversation")


@pytest.mark.usefixtures("persister")
async def test_a_user_speaks_for_itself_only(settings: Settings, guarded: ServiceProcess) -> None:
    async with caller(guarded, "user") as user:
        for path, more in (
            (AI_RESPONSE, {}),
            (MESSAGES, {"role": "assistant"}),
            (TRANSCRIPT, {"role": "assistant"}),
            (MESSAGES, {"user_id": "user-2"}),
        ):
            await user.is_refused(403, "forbidden", path, "POST", json={**HELLO, **more})
        assert await logged(settings, "c") == []
        own, foreign = (f"/api/v2/users/user-{number}/preferences" for number in (1, 2))
        written = await user.writes(own, {"voice": "v"}, method="PUT", status=200)
        assert (await user.reads(own, written))["voice"] == "v"
        await user.is_refused(403, "forbidden", foreign)
        await user.is_refused(403, "forbidden", foreign, "PUT", json={"voice": "v"})


@pytest.mark.usefixtures("persister")
async def test_servers_speak_for_everybody_and_readers_only_look(
    settings: Settings, guarded: ServiceProcess
) -> None:
    async with (
        caller(guarded, "agent", sub="shop") as server,
        caller(guarded, "reader", sub="auditor") as reader,
        caller(guarded, "importer", sub="mover") as importer,
    ):
        said = await server.writes(MESSAGES, {**HELLO, "user_id": "user-1"})
        replied = await server.writes(AI_RESPONSE, HELLO)
        assert (await reader.reads(CONVERSATION, said, replied))["user_id"] == "user-1"
        assert len((await reader.reads(MESSAGES))["messages"]) == 2
        assert await reader.lists(user_id="user-1") == ["c"]
        for one in (reader, importer):
            await one.is_refused(403, "forbidden", MESSAGES, "POST", json=HELLO)
            wanted = {"state": "listening"}
            await one.is_refused(403, "forbidden", STATE, "POST", json=wanted)
            await one.is_refused(403, "forbidden", f"{CONVERSATION}/end", "PUT")
        for path in (CONVERSATION, MESSAGES, STATE, CONVERSATIONS):
            await importer.is_refused(403, "forbidden", path)
    senders = [event.sender for _, event in await logged(settings, "c")]
    assert senders == ["shop", "shop"]


@pytest.mark.usefixtures("persister")
async def test_two_tenants_use_the_same_ids_and_neither_notices(guarded: ServiceProcess) -> None:
    async with (
        caller(guarded, "agent") as mine,
        caller(guarded, "agent", tenant="other") as foreign,
        caller(guarded, "user", tenant="other") as namesake,
    ):
        created = await mine.writes(CONVERSATIONS, {"title": "mine", "user_id": "user-1"}, key="k")
        named = f"{CONVERSATIONS}/{created['conversation_id']}"
        said = await mine.writes(MESSAGES, {**HELLO, "id": "1", "user_id": "user-1"})
        ended = await mine.writes(f"{CONVERSATION}/end", method="PUT", status=200)
        written = [created, said, ended]
        assert (await mine.reads(CONVERSATION, *written))["state"] == "ended"
        for one in (foreign, namesake):
            for path in (named, CONVERSATION):
                await one.is_refused(404, "not_found", path)
            assert await one.lists() == []
        assert (await foreign.reads(STATE))["state"] == "idle"
        assert (await foreign.reads(MESSAGES))["messages"] == []
        again = await foreign.writes(MESSAGES, {**HELLO, "id": "1", "user_id": "user-1"})
        assert again["event_id"] != said["event_id"]
        other = await foreign.writes(CONVERSATIONS, {"title": "theirs"}, key="k")
        assert other["conversation_id"] != created["conversation_id"]


async def test_without_a_token_nothing_is_told(guarded: ServiceProcess) -> None:
    async with program_of(guarded) as nobody:
        document = (await nobody.http.get("/openapi.json")).json()
        for path, methods in document["paths"].items():
            if not path.startswith("/api/"):
                continue
            for method in methods:
                problem = await nobody.http.request(method, path)
                assert (problem.status_code, problem.json()["code"]) == (401, "unauthenticated")
                assert problem.headers["www-authenticate"] == "Bearer"
