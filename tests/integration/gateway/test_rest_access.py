"""Who may see and write what over HTTP: users their own, servers their tenant's, others nothing."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from parley import clock
from parley.codec.config import config_record
from parley.config import ConfigChange, Tenant
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import logged
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually
from tests.unit.gateway.access import issuer

pytestmark = pytest.mark.integration

LIST = "/api/v2/conversations"


@pytest.fixture
def guarded(settings: Settings, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A gateway that believes the tests' issuer, and a persister behind it."""
    variables = {
        "PARLEY_GATEWAY_ACCESS": "on",
        "PARLEY_GATEWAY_JWKS_FILE": str(issuer.write_key_set(tmp_path)),
        "PARLEY_GATEWAY_JWT_AUDIENCE": issuer.AUDIENCE,
        "PARLEY_GATEWAY_JWT_ISSUER": issuer.ISSUER,
    }
    with (
        ServiceProcess("persister", settings),
        ServiceProcess("gateway", settings, **variables) as process,
    ):
        yield process


@pytest.fixture
async def http(settings: Settings, guarded: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the gateway once it knows both tenants."""
    producer = Producer(settings)
    await producer.start()
    for name in ("acme", "other"):
        change = ConfigChange(name, "test", clock.now(), Tenant(name))
        await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    await producer.stop()
    async with httpx.AsyncClient(base_url=guarded.url, timeout=15) as made:

        async def is_known() -> bool:
            answers = [await made.get(LIST, headers=agent(one)) for one in ("acme", "other")]
            return all(one.status_code == 200 for one in answers)

        await eventually(is_known)
        yield made


def who(subject: str, *roles: str, tenant: str = "acme") -> dict[str, str]:
    text = issuer.token(sub=subject, roles=list(roles), tenant=tenant)
    return {"Authorization": f"Bearer {text}"}


def user(name: str) -> dict[str, str]:
    return who(name, "user")


def agent(tenant: str = "acme") -> dict[str, str]:
    return who("shop", "agent", tenant=tenant)


async def begun(http: httpx.AsyncClient, conversation_id: str, **headers: str) -> str:
    """A conversation with a message that is stored; its position."""
    path = f"{LIST}/{conversation_id}/messages"
    answer = await http.post(path, json={"text": "hello", "id": "1"}, headers=headers)
    assert answer.status_code == 201, answer.text
    position: str = answer.json()["position"]

    async def is_stored() -> bool:
        after = {"X-Parley-After": position}
        return (await http.get(LIST, headers={**headers, **after})).status_code == 200

    await eventually(is_stored)
    return position


async def test_a_user_sees_and_writes_its_own_conversations_and_no_others(
    settings: Settings, http: httpx.AsyncClient
) -> None:
    await begun(http, "mine", **user("ann"))
    own, foreign = user("ann"), user("bob")
    assert (await http.get(f"{LIST}/mine", headers=own)).status_code == 200
    paths = ("", "/messages")
    for path in (*(f"{LIST}/mine{one}" for one in paths), "/api/conversations/mine/state"):
        assert (await http.get(path, headers=foreign)).status_code == 404, path
    writes: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{LIST}/mine/messages", {"text": "x"}),
        ("POST", f"{LIST}/mine/sessions", {}),
        ("PUT", f"{LIST}/mine/end", {}),
        ("POST", LIST, {"id": "mine", "title": "taken over"}),
        ("POST", "/api/conversations/mine/state", {"state": "listening"}),
        ("POST", "/api/conversations/mine/transcript", {"text": "x"}),
    ]
    for method, path, body in writes:
        answer = await http.request(method, path, json=body, headers=foreign)
        assert (answer.status_code, answer.json()["code"]) == (404, "no_conversation"), path
    assert len(await logged(settings, "mine")) == 1
    listed = [(await http.get(LIST, headers=one)).json()["conversations"] for one in (own, foreign)]
    assert [[one["conversation_id"] for one in page] for page in listed] == [["mine"], []]


async def test_a_user_cannot_speak_for_others_or_as_the_assistant_or_in_batches(
    settings: Settings, http: httpx.AsyncClient
) -> None:
    own = user("ann")
    message = {"conversation_id": "c", "id": "1", "text": "x"}
    attempts: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"{LIST}/c/messages", {"text": "x", "user_id": "bob"}),
        ("POST", f"{LIST}/c/messages", {"text": "x", "role": "assistant"}),
        ("POST", "/api/conversations/c/ai-response", {"text": "x"}),
        ("POST", "/api/v2/events:batch", {"messages": [message]}),
        ("POST", "/api/v2/imports", {"source": "s"}),
        ("PUT", "/api/v2/users/bob/preferences", {"language": "de"}),
        ("GET", "/api/v2/users/bob/preferences", {}),
        ("GET", f"{LIST}?user_id=bob", {}),
        ("GET", "/api/v2/activity", {}),
    ]
    for method, path, body in attempts:
        sent: Any = {"json": body} if method != "GET" else {}
        answer = await http.request(method, path, headers=own, **sent)
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
    assert await logged(settings, "c") == []
    assert await logged(settings, "preferences:bob") == []


async def test_another_tenants_conversation_of_the_same_id_is_another_one(
    http: httpx.AsyncClient,
) -> None:
    await begun(http, "same", **agent("acme"))
    assert (await http.get(f"{LIST}/same", headers=agent("other"))).status_code == 404
    page = await http.get(f"{LIST}/same/messages", headers=agent("other"))
    assert page.json()["messages"] == []
    assert (await http.get(LIST, headers=agent("other"))).json()["conversations"] == []
    await begun(http, "same", **agent("other"))
    for tenant in ("acme", "other"):
        found = (await http.get(f"{LIST}/same", headers=agent(tenant))).json()
        assert found["message_count"] == 1


async def test_an_import_of_one_tenant_is_unknown_to_another(http: httpx.AsyncClient) -> None:
    mine, theirs = who("importer", "importer"), who("importer", "importer", tenant="other")
    body = {"source": "old-helpdesk"}
    import_id = (await http.post("/api/v2/imports", json=body, headers=mine)).json()["import_id"]
    same = (await http.post("/api/v2/imports", json=body, headers=theirs)).json()["import_id"]
    assert import_id != same
    path = f"/api/v2/imports/{import_id}/finish"
    assert (await http.post(path, json={}, headers=theirs)).status_code == 404
    assert (await http.post(path, json={}, headers=mine)).status_code == 200
