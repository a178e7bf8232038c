"""What stands before the gateway's paths: tokens, origins, and what pages may read."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse

from services.gateway.access import (
    Access,
    AccessGuard,
    Caller,
    OriginGuard,
    Permission,
    caller_of,
)
from services.gateway.api import problems
from services.gateway.settings import GatewaySettings
from tests.unit.gateway.access.issuer import token

PAGE = "https://chat.example.com"
# The client of the tests takes no name from its base URL for a WebSocket.
SOCKET = "ws://127.0.0.1/api/ws"
OPEN = ("/health", "/livez", "/readyz", "/metrics", "/", "/docs")


def application(access: Access, **guard: Any) -> FastAPI:
    """An application with the gateway's guards, in its order, and routes that tell who came."""
    app = FastAPI(docs_url=None, openapi_url=None)
    problems.install(app)
    app.add_middleware(AccessGuard, access=access)
    app.add_middleware(OriginGuard, allowed_origins=(PAGE,), **guard)

    @app.api_route("/api/who", methods=["GET", "POST"])
    async def who(caller: Caller) -> dict[str, str]:
        caller.requires(Permission.TALK)
        return {"tenant": caller.tenant_id, "user": caller.user_id}

    @app.get("/api/all")
    async def everything(caller: Caller) -> None:
        caller.requires(Permission.LIST)

    @app.websocket("/api/ws")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        caller = caller_of(socket)
        await socket.send_json(caller.user_id if caller else None)
        await socket.close()

    for path in OPEN:
        app.get(path)(lambda: "open")
    return app


@pytest.fixture
async def client(access: Access) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(access))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


@pytest.fixture
def sockets(access: Access) -> TestClient:
    return TestClient(application(access), base_url="http://127.0.0.1")


async def test_under_api_everybody_needs_a_token(client: httpx.AsyncClient) -> None:
    for path in ("/api/who", "/api/nothing-here", "/api"):
        answer = await client.get(path)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", OPEN)
async def test_what_shows_no_conversation_stays_open(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 200


async def test_a_route_knows_who_came(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": f"Bearer {token(user_id='user-9')}"}
    answer = await client.get("/api/who", headers=headers)
    assert answer.json() == {"tenant": "acme", "user": "user-9"}


async def test_who_may_not_gets_a_403(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/all", headers={"X-API-Key": token()})
    assert answer.status_code == 403
    assert answer.json()["code"] == "forbidden"
    assert "WWW-Authenticate" not in answer.headers


async def test_a_token_in_the_query_string_is_not_looked_at(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/who", params={"token": token(), "access_token": token()})
    assert answer.status_code == 401


async def test_off_everybody_comes_as_anybody() -> None:
    app = application(Access(GatewaySettings()))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://127.0.0.1"
    ) as client:
        assert (await client.get("/api/who")).json() == {"tenant": "default", "user": ""}
    with TestClient(app, base_url="http://127.0.0.1").websocket_connect(SOCKET) as socket:
        assert socket.receive_json() == ""


def test_a_websocket_may_say_its_token_later(sockets: TestClient) -> None:
    with sockets.websocket_connect(SOCKET) as socket:
        assert socket.receive_json() is None


def test_a_websocket_with_a_bad_token_is_refused_before_it_is_accepted(sockets: TestClient) -> None:
    for headers in ({"Authorization": "Bearer x"}, {"Sec-WebSocket-Protocol": "parley, bearer.x"}):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            sockets.websocket_connect(SOCKET, headers=headers),
        ):
            pytest.fail("it was accepted")
        assert refused.value.status_code == 401


def test_a_browser_is_answered_with_the_subprotocol_and_never_with_its_token(
    sockets: TestClient,
) -> None:
    offered = ["parley", f"bearer.{token(user_id='user-9')}"]
    with sockets.websocket_connect(SOCKET, subprotocols=offered) as socket:
        assert socket.accepted_subprotocol == "parley"
        assert socket.receive_json() == "user-9"
    only_token = {"Sec-WebSocket-Protocol": offered[1]}
    with sockets.websocket_connect(SOCKET, headers=only_token) as socket:
        assert socket.accepted_subprotocol is None


def test_a_strangers_page_is_refused_whatever_token_it_has(sockets: TestClient) -> None:
    headers = {"Origin": "https://evil.example", "Authorization": f"Bearer {token()}"}
    assert sockets.get("/api/who", headers=headers).status_code == 403
    with (
        pytest.raises(WebSocketDenialResponse) as refused,
        sockets.websocket_connect(SOCKET, headers=headers),
    ):
        pytest.fail("it was accepted")
    assert refused.value.status_code == 403


async def test_an_allowed_page_may_ask_first_without_a_token(client: httpx.AsyncClient) -> None:
    answer = await client.options(
        "/api/who",
        headers={
            "Origin": PAGE,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, idempotency-key",
        },
    )
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in answer.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in answer.headers


async def test_an_allowed_page_may_read_answers_also_refusals(client: httpx.AsyncClient) -> None:
    good = {"Authorization": f"Bearer {token()}"}
    for headers, status in ((good, 200), ({}, 401)):
        answer = await client.get("/api/who", headers={"Origin": PAGE, **headers})
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "*", "", f"{PAGE}.evil.example"]
)
async def test_another_page_may_neither_ask_nor_read(
    client: httpx.AsyncClient, origin: str
) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for path in ("/api/who", "/health"):
        for method in ("OPTIONS", "GET"):
            answer = await client.request(method, path, headers=headers)
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_with_tokens_the_gateway_may_have_any_name(access: Access) -> None:
    headers = {"Authorization": f"Bearer {token()}"}
    for any_host, status in ((False, 403), (True, 200)):
        transport = httpx.ASGITransport(application(access, any_host=any_host))
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            assert (await client.get("/api/who", headers=headers)).status_code == status
            stranger = {**headers, "Origin": "https://evil.example"}
            assert (await client.get("/api/who", headers=stranger)).status_code == 403


async def test_without_a_guard_nobody_gets_in() -> None:
    app = FastAPI()

    @app.get("/api/who")
    async def who(caller: Caller) -> None:
        pytest.fail(f"{caller} came in")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/api/who")).status_code == 500
