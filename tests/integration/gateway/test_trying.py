"""What a developer tries by hand, on a real gateway and persister; and that nobody else can."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pydantic import ValidationError

from parley.events import Content, MessageRecorded, Role, StateRequested
from parley.local.services import specs
from parley.local.stack import Endpoints
from parley.settings import Settings
from services.gateway.settings import GatewaySettings
from tests.integration.gateway.clients import logged
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

ROUTES = [
    ("POST", "/api/test/conversations"),
    ("POST", "/api/test/c/message"),
    ("POST", "/api/test/c/speech"),
    ("GET", "/api/test/c/state-transitions"),
    ("GET", "/api/test/c/stress-test"),
    ("GET", "/api/test/system-status"),
]


@pytest.fixture
def trying(settings: Settings) -> Iterator[ServiceProcess]:
    """A gateway as `make run` starts it."""
    with ServiceProcess("gateway", settings, PARLEY_TEST_ENDPOINTS="1") as process:
        yield process


@pytest.fixture
async def client(trying: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=trying.url, timeout=30) as made:
        yield made


async def test_without_the_setting_there_is_nothing_to_try(gateway: ServiceProcess) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as client:
        answers = [await client.request(method, path) for method, path in ROUTES]
        paths = (await client.get("/openapi.json")).json()["paths"]
    assert {one.status_code for one in answers} == {404}
    assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
    assert [path for path in paths if path.startswith("/api/test")] == []


async def test_a_conversation_is_made_spoken_in_and_looked_at(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    made = await client.post("/api/test/conversations")
    conversation_id = made.json()["conversation_id"]
    path = f"/api/test/{conversation_id}"
    message = await client.post(f"{path}/message", json={"text": "Is anybody there?"})
    assert (made.status_code, message.status_code) == (201, 201)
    states = [
        (await client.post(f"{path}/speech", json={"kind": kind})).json()["state"]
        for kind in ("speech_started", "speech_ended", "playback_started", "playback_ended")
    ]
    assert states == ["listening", "processing", "speaking", "waiting_for_user"]
    events = [event for _, event in await logged(settings, conversation_id)]
    assert [one.body for one in events if isinstance(one.body, MessageRecorded)] == [
        MessageRecorded(Role.USER, Content("Is anybody there?"))
    ]
    requested = [one.body.target for one in events if isinstance(one.body, StateRequested)]
    assert requested == states


async def test_the_transitions_are_those_that_the_log_granted(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    state, transitions = "/api/conversations/c/state", "/api/test/c/state-transitions"
    for wanted in ("listening", "processing"):
        await client.post(state, json={"state": wanted})
    # Refused by this gateway: it never comes into the log.
    assert (await client.post(state, json={"state": "idle"})).status_code == 409
    last = (await client.post(state, json={"state": "speaking", "cause": "an answer"})).json()

    async def stored() -> list[dict[str, str]]:
        found = (await client.get(transitions)).json()["transitions"]
        return [one for one in found if one["is_granted"]] if len(found) >= 3 else []

    with ServiceProcess("persister", settings):
        granted = await eventually(stored)
    assert [(one["source"], one["target"]) for one in granted] == [
        ("idle", "listening"),
        ("listening", "processing"),
        ("processing", "speaking"),
    ]
    assert (granted[-1]["cause"], granted[-1]["position"]) == ("an answer", last["position"])


async def test_the_transitions_wait_for_the_write_that_they_follow(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    wanted = {"state": "listening"}
    change = (await client.post("/api/conversations/c/state", json=wanted)).json()
    path, after = "/api/test/c/state-transitions", {"X-Parley-After": change["position"]}
    behind = await client.get(path, headers=after)
    assert (behind.status_code, behind.json().get("code")) == (503, "not_stored_yet")
    with ServiceProcess("persister", settings):
        found = (await client.get(path, headers=after)).json()["transitions"]
    assert [one["target"] for one in found] == ["listening"]


async def test_a_stress_test_records_as_many_messages_as_it_says(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    report = (await client.get("/api/test/c/stress-test", params={"count": 250})).json()
    counts = (report["message_count"], report["ok_count"], report["refused_count"])
    assert counts == (250, 250, 0)
    assert report["seconds"] > 0
    assert report["messages_per_second"] == pytest.approx(250 / report["seconds"], rel=0.01)
    events = [event for _, event in await logged(settings, "c")]
    assert len({one.event_id for one in events if isinstance(one.body, MessageRecorded)}) == 250


async def test_a_stress_test_in_an_ended_conversation_tells_that_all_were_refused(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    await client.post("/api/conversations/c/state", json={"state": "ended"})
    report = (await client.get("/api/test/c/stress-test", params={"count": 5})).json()
    assert (report["ok_count"], report["refused_count"]) == (0, 5)
    assert [type(event.body) for _, event in await logged(settings, "c")] == [StateRequested]


@pytest.mark.parametrize("count", ["0", "-1", "1001", "9" * 30, "many"])
async def test_a_stress_test_is_bounded(
    settings: Settings, client: httpx.AsyncClient, count: str
) -> None:
    answer = await client.get("/api/test/c/stress-test", params={"count": count})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await logged(settings, "c") == []


async def test_the_status_tells_of_everything_that_the_gateway_needs(
    client: httpx.AsyncClient,
) -> None:
    status = await client.get("/api/test/system-status")
    assert status.status_code == 200
    assert {"kafka", "postgres", "log_tail"} <= set(status.json()["dependencies"])
    assert status.json()["status"] == (await client.get("/health")).json()["status"] == "healthy"


async def test_what_is_wrong_to_try_is_said_and_not_recorded(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    answers = [
        await client.post("/api/test/c/message", json={"text": ""}),
        await client.post("/api/test/c/message", json={"text": "a\0b"}),
        await client.post("/api/test/c/speech", json={"kind": "shouted"}),
        await client.post("/api/test/c/speech", content=b"{"),
    ]
    assert [one.status_code for one in answers] == [422, 422, 422, 422]
    assert await logged(settings, "c") == []


@pytest.mark.parametrize("name", ["PARLEY_TEST_ENDPOINTS", "PARLEY_GATEWAY_TEST_ENDPOINTS"])
def test_the_setting_has_two_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    assert GatewaySettings().gateway_test_endpoints
    monkeypatch.setenv(name, "perhaps")
    with pytest.raises(ValidationError):
        GatewaySettings()


def test_only_the_gateways_of_make_run_have_something_to_try(
    stack: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PARLEY_TEST_ENDPOINTS", raising=False)
    found = specs(stack, {"gateway-1": 1, "gateway-2": 2, "persister": 3, "sealer": 4})
    with_them = [one.name for one in found if one.env.get("PARLEY_TEST_ENDPOINTS") == "1"]
    assert with_them == ["gateway-1", "gateway-2"]
