"""Tests of a simulated client against a gateway of a few lines."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from websockets.asyncio.server import ServerConnection, serve

from parley import clock
from parley.errors import UserError
from parley.simulation.client import Client, Speaker
from parley.simulation.counts import Counts
from parley.simulation.plan import Plan, frames

Answer = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]


class Gateway:
    """Greets, and answers every other frame as it is told to."""

    def __init__(self, answer: Answer) -> None:
        self.hellos: list[dict[str, Any]] = []
        self.taken: list[dict[str, Any]] = []
        self._answer = answer

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        async with serve(self._serve, "127.0.0.1", 0) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            yield f"http://127.0.0.1:{port}"

    async def _serve(self, connection: ServerConnection) -> None:
        hello = orjson.loads(await connection.recv())
        self.hellos.append(hello["payload"])
        connected = {
            "status": "connected",
            "session_id": "s",
            "generation": len(self.hellos),
        }
        await connection.send(frame("connection_status", connected))
        async for text in connection:
            self.taken.append(orjson.loads(text))
            await self._answer(connection, self.taken[-1])


def frame(kind: str, payload: dict[str, Any]) -> str:
    return orjson.dumps({"type": kind, "payload": payload}).decode()


async def acknowledge(connection: ServerConnection, said: dict[str, Any]) -> None:
    await connection.send(frame("ack", {"id": said["id"]}))


async def talk(gateway: Gateway, plan: Plan) -> Counts:
    counts = Counts()
    async with gateway.listening() as url, asyncio.timeout(20):
        speaker = Speaker(url, "chat/1", "me", "u", "demo", clock.now(), clock.monotonic())
        await Client(speaker, frames(plan, 0), counts).run()
    return counts


FAST = Plan(conversation_count=1, messages_a_second=500)


async def test_everything_said_is_acknowledged_and_the_session_ended() -> None:
    gateway = Gateway(acknowledge)
    counts = await talk(gateway, FAST)
    assert (counts.sent, counts.acknowledged, counts.refused) == (8, 8, 0)
    assert [one["type"] for one in gateway.taken][-1] == "end"
    assert len(gateway.hellos) == 1


async def test_users_send_final_transcripts_and_assistants_answers() -> None:
    gateway = Gateway(acknowledge)
    await talk(gateway, FAST)
    user, assistant = gateway.taken[:2]
    assert user["type"] == "transcript_update"
    assert user["payload"]["is_final"] is True
    assert assistant["type"] == "ai_response"
    assert user["payload"]["occurred_at"] <= user["payload"]["sent_at"]


async def test_a_lost_connection_is_resumed_and_what_was_not_acknowledged_said_again() -> None:
    async def once_lose(connection: ServerConnection, said: dict[str, Any]) -> None:
        if len(gateway.hellos) == 1 and said["id"] == "3":
            await connection.close()
        else:
            await acknowledge(connection, said)

    gateway = Gateway(once_lose)
    counts = await talk(gateway, FAST)
    assert counts.reconnects == 1
    assert gateway.hellos[1]["session_id"] == "s"
    assert gateway.hellos[1]["generation"] == 1
    assert [one["id"] for one in gateway.taken].count("3") == 2
    assert {one["id"] for one in gateway.taken} == {*map(str, range(8)), "end"}


async def test_a_retryable_refusal_is_said_again_by_the_same_id() -> None:
    async def refuse_first(connection: ServerConnection, said: dict[str, Any]) -> None:
        if [one["id"] for one in gateway.taken].count("2") == 1 and said["id"] == "2":
            error = {"id": "2", "code": "overloaded", "message": "-", "retryable": True}
            await connection.send(frame("error", {**error, "retry_after_ms": 10}))
        else:
            await acknowledge(connection, said)

    gateway = Gateway(refuse_first)
    counts = await talk(gateway, FAST)
    assert (counts.acknowledged, counts.refused, counts.resent) == (8, 0, 1)


async def test_a_refusal_for_good_is_counted_and_told() -> None:
    async def refuse(connection: ServerConnection, said: dict[str, Any]) -> None:
        if said["id"] == "2":
            error = {"id": "2", "code": "invalid_frame", "message": "bad", "retryable": False}
            await connection.send(frame("error", error))
        else:
            await acknowledge(connection, said)

    counts = await talk(Gateway(refuse), FAST)
    assert (counts.acknowledged, counts.refused) == (7, 1)
    assert counts.last_refusal == "invalid_frame: bad"


async def test_a_refused_hello_ends_the_client() -> None:
    class Refusing(Gateway):
        async def _serve(self, connection: ServerConnection) -> None:
            await connection.recv()
            error = {"id": None, "code": "x", "message": "no", "retryable": False}
            await connection.send(frame("error", error))

    with pytest.raises(UserError, match="refused"):
        await talk(Refusing(acknowledge), FAST)


async def test_a_server_that_is_no_gateway_is_named() -> None:
    class Other(Gateway):
        @asynccontextmanager
        async def listening(self) -> AsyncIterator[str]:
            def refuse(connection: ServerConnection, _: Any) -> Any:
                return connection.respond(404, "nothing here")

            async with serve(self._serve, "127.0.0.1", 0, process_request=refuse) as server:
                port = next(iter(server.sockets)).getsockname()[1]
                yield f"http://127.0.0.1:{port}"

    with pytest.raises(UserError, match="takes no WebSockets"):
        await talk(Other(acknowledge), FAST)
