"""The whole product, as `make run` starts it: conversations in, sealed and analysed."""

import asyncio
import json
from typing import Any
from urllib.request import urlopen

import pytest
import websockets

from parley.settings import Settings
from services.analyzer.passes import SHIPPED
from tests.support.product import SERVICES, Product, parley
from tests.support.wait import eventually

pytestmark = [pytest.mark.e2e, pytest.mark.integration]


def health(url: str) -> dict[str, Any]:
    with urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - a loopback URL of our own
        body: dict[str, Any] = json.loads(answer.read())
        return body


async def test_make_run_prints_ready_and_the_first_verdicts(empty_settings: Settings) -> None:
    with Product(empty_settings, "--demo") as product:

        async def has_verdicts() -> bool:
            # What comes before are the passes as they are applied.
            _, _, after_start = product.output.partition("ready")
            return all(one.definition.name in after_start for one in SHIPPED)

        await eventually(has_verdicts, timeout=90)
        for service in SERVICES:
            assert health(product.url(service))["status"] == "healthy"
        assert product.stop() == 0


async def test_a_message_typed_by_hand_becomes_a_row_a_segment_and_verdicts(
    empty_settings: Settings,
) -> None:
    with Product(empty_settings) as product:
        url = product.url().replace("http://", "ws://")
        async with websockets.connect(f"{url}/api/ws/conversations/by-hand") as socket:
            who = {"channel": "demo", "user_id": "ada", "deliver": "none"}
            hello = {"type": "hello", "payload": who}
            await socket.send(json.dumps(hello))
            connected = json.loads(await socket.recv())
            assert connected["payload"]["status"] == "connected"
            said = {"text": "This is wonderful!", "role": "user", "is_final": True}
            await socket.send(json.dumps({"type": "transcript_update", "id": "1", "payload": said}))
            ack = json.loads(await socket.recv())
            assert (ack["type"], ack["payload"]["id"]) == ("ack", "1")
            assert ack["payload"]["position"]
            await socket.send(json.dumps({"type": "end", "id": "2", "payload": {}}))
            await socket.recv()

        async def is_explained() -> bool:
            said = await asyncio.to_thread(parley, empty_settings, "explain", "by-hand")
            names = (one.definition.name for one in SHIPPED)
            return said.status == 0 and all(name in said.output for name in names)

        await eventually(is_explained, timeout=60)
        explained = parley(empty_settings, "explain", "by-hand").output
        assert "wonderful" not in explained, "content is shown only when asked for"
        assert "wonderful" in parley(empty_settings, "explain", "by-hand", "--content").output
        status = parley(empty_settings, "status")
        assert status.status == 0, status.errors
        assert parley(empty_settings, "doctor").status == 0
        assert "wonderful" not in product.output, "logs hold no content"
