"""A gateway's process with access control: who gets in, until when, and what its log tells."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from parley import clock
from parley.api_keys import PresentedKey, make_key
from parley.codec.config import config_record
from parley.config import AccessRole, ApiKey, ConfigChange, Tenant
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import Client, connected
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually
from tests.unit.gateway.access import issuer
from tests.unit.gateway.access.hostile import hostile_tokens

pytestmark = pytest.mark.integration

UNAUTHORIZED = 401

POLICY_VIOLATION = 1008


@pytest.fixture
def guarded(settings: Settings, tmp_path: Path) -> Iterator[ServiceProcess]:
    """A gateway that wants a key, or a token of the tests' issuer."""
    variables = {
        "PARLEY_GATEWAY_ACCESS": "on",
        "PARLEY_GATEWAY_JWKS_FILE": str(issuer.write_key_set(tmp_path)),
        "PARLEY_GATEWAY_JWT_AUDIENCE": issuer.AUDIENCE,
        "PARLEY_GATEWAY_JWT_ISSUER": issuer.ISSUER,
        "PARLEY_GATEWAY_JWT_LEEWAY": "0",
        "PARLEY_GATEWAY_RECONNECT_GRACE": "1",
    }
    with ServiceProcess("gateway", settings, **variables) as process:
        yield process


@dataclass
class Operator:
    """Creates keys as the command does."""

    producer: Producer
    topic: str
    gateway: ServiceProcess

    async def set(self, tenant_id: str, body: Tenant | ApiKey) -> None:
        change = ConfigChange(tenant_id, "test", clock.now(), body)
        await self.producer.send(config_record(self.topic, change))

    async def key(self, *roles: AccessRole) -> tuple[PresentedKey, ApiKey]:
        """A key that the gateway knows by the time that this returns."""
        made = make_key()
        key = ApiKey(made.key_id, made.key_hash, "shop-backend", roles)
        await self.set("acme", key)
        await self.until_believed(made.text)
        return made, key

    async def until_believed(self, token: str) -> None:
        """Return once the gateway has read what makes the token good."""
        url = f"{self.gateway.url}/api/v2/conversations/nobody"
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(trust_env=False) as client:

            async def is_believed() -> bool:
                return (await client.get(url, headers=headers)).status_code != UNAUTHORIZED

            await eventually(is_believed)


@pytest.fixture
async def operator(settings: Settings, guarded: ServiceProcess) -> AsyncIterator[Operator]:
    producer = Producer(settings)
    await producer.start()
    made = Operator(producer, settings.topic(Topic.CONFIG), guarded)
    await made.set("acme", Tenant("acme"))
    await made.until_believed(issuer.token())
    yield made
    await producer.stop()


async def closed_with(socket: ClientConnection, seconds: float) -> tuple[int, list[str]]:
    """Why the gateway closed it, within so many seconds, and what it still said."""
    said: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                said.append(str(await socket.recv()))
    except ConnectionClosed:
        return socket.close_code or 0, said


async def test_a_websocket_gets_in_with_a_key_and_is_sent_away_when_it_is_revoked(
    guarded: ServiceProcess, operator: Operator
) -> None:
    made, key = await operator.key(AccessRole.AGENT)
    async with connected(guarded, "chat", **{"X-API-Key": made.text}) as client:
        await client.hello()
        await client.said("1")
        await operator.set("acme", replace(key, revoked_at=clock.now()))
        code, said = await closed_with(client.socket, 5)
    assert code == POLICY_VIOLATION
    assert "token_expired" in said[-1]
    with pytest.raises(InvalidStatus) as refused:
        async with connected(guarded, "chat", **{"X-API-Key": made.text}):
            pytest.fail("it was accepted")
    assert refused.value.response.status_code == 401


async def test_a_token_may_come_with_the_hello_and_its_end_closes_the_connection(
    guarded: ServiceProcess, operator: Operator
) -> None:
    assert operator
    expires_at = clock.now() + timedelta(seconds=4)
    async with connected(guarded, "chat") as client:
        await client.hello(token=issuer.token("ed", exp=expires_at))
        code, said = await closed_with(client.socket, 10)
    # Whole seconds in the token, and a look each second.
    assert timedelta(seconds=-1) < clock.now() - expires_at < timedelta(seconds=3)
    assert code == POLICY_VIOLATION
    assert "token_expired" in said[-1]


async def test_a_hello_without_a_good_token_is_refused(guarded: ServiceProcess) -> None:
    for payload in ({}, {"token": "nonsense"}, {"token": issuer.token(aud="other")}):
        async with connected(guarded, "chat") as client:
            await client.send("hello", **payload)
            code, said = await closed_with(client.socket, 10)
        assert code == POLICY_VIOLATION
        assert "unauthenticated" in said[0]


async def test_a_browser_sends_its_token_with_the_subprotocols(
    guarded: ServiceProcess, operator: Operator
) -> None:
    assert operator
    url = f"ws://127.0.0.1:{guarded.port}/api/ws/conversations/chat"
    offered = [Subprotocol("parley"), Subprotocol(f"bearer.{issuer.token()}")]
    async with connect(url, subprotocols=offered) as socket:
        assert socket.subprotocol == "parley"
        await Client(socket).hello(user_id="user-1")
        await Client(socket).said("1")


async def test_a_user_is_who_its_token_names_whatever_it_says(
    guarded: ServiceProcess, operator: Operator
) -> None:
    assert operator
    async with connected(guarded, "chat") as client:
        await client.send("hello", token=issuer.token(), user_id="somebody-else")
        code, said = await closed_with(client.socket, 10)
    assert code == POLICY_VIOLATION
    assert "forbidden" in said[0]


async def test_a_thousand_hostile_tokens_get_401_and_the_log_tells_none(
    guarded: ServiceProcess, operator: Operator
) -> None:
    made, _ = await operator.key(AccessRole.AGENT)
    statuses: dict[int, int] = {}
    path = "/api/v2/conversations/chat"
    async with httpx.AsyncClient(base_url=guarded.url) as client:
        for number, text in enumerate(hostile_tokens(20_261_122)):
            status = await _status(client, path, text, number)
            statuses[status] = statuses.get(status, 0) + 1
        good = await client.get(path, headers={"X-API-Key": made.text})
        metrics = (await client.get("/metrics")).text
    assert good.status_code != 401
    # What is no HTTP at all is refused by the server itself.
    assert set(statuses) <= {400, 401}, statuses
    assert statuses[401] > 1_000
    said = guarded.output
    assert "Traceback" not in said
    assert "eyJ" not in said + metrics
    assert made.secret.hex() not in said + metrics
    assert "parley_gateway_access_refused_total" in metrics


async def _status(client: httpx.AsyncClient, path: str, text: str, number: int) -> int:
    raw = text.encode(errors="replace")
    header: Any = (b"X-API-Key", raw) if number % 2 else (b"Authorization", b"Bearer " + raw)
    try:
        return (await client.get(path, headers=[header])).status_code
    except httpx.LocalProtocolError:
        # The client itself does not send a line break in a header; in the query it may.
        return (await client.get(path, params={"token": text})).status_code


async def test_one_who_reads_nothing_does_not_keep_others_from_being_sent_away(
    guarded: ServiceProcess, operator: Operator
) -> None:
    stalled, stalled_key = await operator.key(AccessRole.AGENT)
    writer, _ = await operator.key(AccessRole.AGENT)
    other, other_key = await operator.key(AccessRole.AGENT)
    url = f"ws://127.0.0.1:{guarded.port}/api/ws/conversations/chat"
    # A client whose queue is full after one frame stops reading the socket.
    stalls = connect(url, additional_headers={"X-API-Key": stalled.text}, max_queue=1)
    async with (
        stalls as socket,
        connected(guarded, "chat", **{"X-API-Key": writer.text}) as speaking,
        connected(guarded, "elsewhere", **{"X-API-Key": other.text}) as bystander,
    ):
        await Client(socket).hello(deliver="all")
        await speaking.hello(deliver="none")
        await bystander.hello()
        for number in range(200):
            await speaking.said(str(number), "x" * 60_000)
        await operator.set("acme", replace(stalled_key, revoked_at=clock.now()))
        await asyncio.sleep(3)
        await operator.set("acme", replace(other_key, revoked_at=clock.now()))
        code, said = await closed_with(bystander.socket, 5)
        socket.transport.abort()
    assert code == POLICY_VIOLATION
    assert "token_expired" in said[-1]
