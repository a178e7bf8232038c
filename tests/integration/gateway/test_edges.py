"""What one client does at the edge of what it may costs nobody else anything."""

import asyncio
import os
import signal
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from parley.events import EndReason, SessionEnded
from parley.settings import Settings
from tests.integration.gateway.clients import connected, logged
from tests.integration.gateway.readers import reading
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

SERVICE_RESTART = 1012


@pytest.mark.parametrize("levels", [250, 252, 253, 254, 255, 300])
async def test_metadata_of_any_depth_is_taken_and_shown_or_refused_and_no_gateway_dies(
    gateway: ServiceProcess, levels: int
) -> None:
    nested: dict[str, Any] = {}
    for _ in range(levels - 1):
        nested = {"a": nested}
    async with reading(gateway, "c") as listener, reading(gateway, "c") as speaker:
        await speaker.client.say("1", metadata=nested)

        async def is_answered() -> bool:
            return bool(speaker.payloads("ack") or speaker.payloads("error"))

        await eventually(is_answered)
        if speaker.payloads("ack"):
            (shown,) = await listener.until("transcript_update")
            assert shown["metadata"] == nested
        await speaker.client.say("2")
        await listener.until("transcript_update", 1 + len(speaker.payloads("ack")) - 1)
        await speaker.until("ack")


async def test_one_message_that_is_too_large_is_refused_and_its_neighbours_are_not(
    gateway: ServiceProcess,
) -> None:
    texts = ["before", "x" * 1_200_000, "after"]
    messages = [
        {"conversation_id": "c", "id": str(number), "text": text}
        for number, text in enumerate(texts)
    ]
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=30) as http:
        for _ in range(2):
            answer = await http.post("/api/v2/events:batch", json={"messages": messages})
            results = answer.json()["results"]
            assert [one["status"] for one in results] == ["ok", "refused", "ok"]
            assert (results[1]["code"], results[1]["retryable"]) == ("invalid_frame", False)


async def test_an_end_that_lost_to_a_later_connection_keeps_no_session_open(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as old:
        first = await old.hello()
        session = {name: first[name] for name in ("session_id", "generation")}
        async with connected(gateway, "c") as new:
            again = await new.hello(**session)
            await old.send("end", "1")
            assert (await old.receive())["type"] == "ack"
            await old.socket.wait_closed()

    async def ends() -> list[SessionEnded]:
        events = [event.body for _, event in await logged(settings, "c")]
        return [body for body in events if isinstance(body, SessionEnded)]

    async def is_over() -> bool:
        return any(one.generation == again["generation"] for one in await ends())

    await eventually(is_over)
    assert {one.reason for one in await ends()} == {EndReason.EXPLICIT, EndReason.DISCONNECTED}


async def test_a_transition_in_flight_is_answered_before_a_gateway_stops(
    settings: Settings,
) -> None:
    with ServiceProcess("gateway", settings) as gateway:
        async with connected(gateway, "c") as client:
            await client.hello()
            await client.send("state_update", "1", state="listening")
            os.kill(gateway.pid, signal.SIGTERM)
            answers = []
            try:
                while True:
                    answers.append(await client.receive())
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else None
        assert code == SERVICE_RESTART
        kinds = [one["type"] for one in answers]
        assert sorted(kinds) in (["ack", "connection_status"], ["connection_status", "error"])
        assert await asyncio.to_thread(gateway.wait, 10) == 0
