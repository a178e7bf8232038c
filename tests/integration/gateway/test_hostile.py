"""Whatever a client sends over its WebSocket, it gets the right error and nobody else notices."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley import clock
from parley.settings import Settings
from tests.integration.gateway.clients import Client, Frame, connected
from tests.integration.gateway.hostile import (
    CANARY,
    DEEP_METADATA,
    FORMS,
    HELLOS,
    NO_FRAMES,
    STRANGE_CONVERSATIONS,
    Form,
    wrong_fields,
    wrong_outsides,
)
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

# How long a client that did nothing wrong may wait, on a busy machine.
PATIENCE_S = 5.0


@pytest.fixture
async def attacked(settings: Settings) -> AsyncIterator[ServiceProcess]:
    """A gateway that is attacked while somebody talks, and which must not notice."""
    extra = {"PARLEY_GATEWAY_RECONNECT_GRACE": "1", "LOG_LEVEL": "DEBUG"}
    with ServiceProcess("gateway", settings, **extra) as gateway:
        async with connected(gateway, "bystander") as bystander:
            await bystander.hello(deliver="none")
            await bystander.said("before")
            yield gateway
            began_s = clock.monotonic()
            await bystander.said("after")
            assert clock.monotonic() - began_s < PATIENCE_S
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.output
        assert '"level": "error"' not in gateway.output
        assert CANARY not in gateway.output


async def answer(client: Client, sent: str | bytes) -> Frame:
    """The one frame that answers."""
    await client.socket.send(sent)
    async with asyncio.timeout(PATIENCE_S):
        return await client.receive()


async def refusal(client: Client, sent: str | bytes) -> Any:
    frame = await answer(client, sent)
    assert frame["type"] == "error", (str(sent)[:300], frame)
    assert frame["payload"]["retryable"] is False, (str(sent)[:300], frame)
    return frame["payload"]


@pytest.mark.parametrize("form", HELLOS, ids=lambda form: ",".join(form.wrong))
async def test_a_hello_with_one_wrong_field_is_refused_and_a_good_one_still_taken(
    attacked: ServiceProcess, form: Form
) -> None:
    async with connected(attacked, "c") as client:
        for wrong in wrong_fields(form, "1"):
            refused = await refusal(client, wrong.text)
            assert (wrong.field, refused["code"]) == (wrong.field, "invalid_frame")
            assert refused["id"] == "1"
        await client.hello(deliver="none")
        await client.said("1")


async def test_a_frame_with_one_wrong_field_is_refused_and_the_talk_goes_on(
    attacked: ServiceProcess,
) -> None:
    async with connected(attacked, "c") as client:
        await client.hello(deliver="none")
        for form in FORMS:
            for wrong in wrong_fields(form, "wrong"):
                refused = await refusal(client, wrong.text)
                assert (wrong.field, refused["code"]) == (wrong.field, "invalid_frame")
                assert refused["id"] == "wrong"
            for text, codes in wrong_outsides(form):
                refused = await refusal(client, text)
                assert refused["code"] in codes, text
        await client.said("1")


async def test_what_is_no_frame_is_refused_before_hello_and_after(
    attacked: ServiceProcess,
) -> None:
    async with connected(attacked, "c") as client:
        for text, code in NO_FRAMES:
            assert (text[:60], (await refusal(client, text))["code"]) == (text[:60], code)
        await client.hello(deliver="none")
        for text, code in NO_FRAMES:
            assert (text[:60], (await refusal(client, text))["code"]) == (text[:60], code)
        for text in DEEP_METADATA:
            assert (await refusal(client, text))["code"] in ("invalid_frame", "invalid_json")
        for sent in (b"", b"\x00\xff", b'{"type": "ping"}', bytes(60_000)):
            assert (await refusal(client, sent))["code"] == "binary_frame"
        # Of two fields of one name the last counts.
        pong = await answer(client, '{"type": "nonsense", "type": "ping"}')
        assert pong["type"] == "pong"
        await client.said("1")


async def test_ids_at_their_longest_are_taken_and_longer_ones_are_not(
    attacked: ServiceProcess,
) -> None:
    async with connected(attacked, "c") as client:
        await client.hello(client_id="ü" * 256, user_id="u" * 512, deliver="none")
        assert (await client.said("i" * 512))["id"] == "i" * 512
        too_long = json.dumps({"type": "ai_response", "id": "i" * 513, "payload": {"text": "x"}})
        assert (await refusal(client, too_long))["code"] == "invalid_frame"
        await client.said("1", "\U0001f600 \u202e \ufffd \x7f", language="x" * 1_000)


async def test_a_frame_that_is_too_large_closes_the_connection_with_1009(
    attacked: ServiceProcess,
) -> None:
    for sent in ("x" * 65_537, "x" * 1_000_000, ["x" * 1_000] * 66):
        async with connected(attacked, "c") as client:
            await client.hello(deliver="none")
            with pytest.raises(ConnectionClosed) as closed:
                await client.socket.send(sent)
                await client.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009


async def test_a_strange_conversation_is_refused_or_taken_and_breaks_nothing(
    attacked: ServiceProcess,
) -> None:
    for conversation_id in STRANGE_CONVERSATIONS:
        try:
            async with connected(attacked, conversation_id) as client:
                hello = await answer(client, '{"type": "hello", "payload": {"deliver": "none"}}')
                if hello["type"] == "error":
                    assert hello["payload"]["code"] == "invalid_frame", conversation_id
                    assert hello["payload"]["retryable"] is False, conversation_id
                else:
                    await client.said("1")
        except InvalidStatus as refused:
            assert 400 <= refused.response.status_code < 500, conversation_id


async def test_a_flood_of_wrong_frames_is_answered_one_by_one_and_delays_nobody(
    attacked: ServiceProcess,
) -> None:
    async with connected(attacked, "c") as flooder, connected(attacked, "d") as other:
        await flooder.hello(deliver="none")
        await other.hello(deliver="none")

        async def flood() -> set[str]:
            for _ in range(5_000):
                await flooder.socket.send("[")
            return {(await flooder.receive())["payload"]["code"] for _ in range(5_000)}

        flooding = asyncio.create_task(flood())
        slowest_s = 0.0
        for number in range(50):
            began_s = clock.monotonic()
            await other.said(str(number))
            slowest_s = max(slowest_s, clock.monotonic() - began_s)
        assert await flooding <= {"invalid_json", "rate_limited"}
        assert slowest_s < 2


async def test_what_is_said_is_in_no_log_and_in_no_metric(attacked: ServiceProcess) -> None:
    secret = f"secret {CANARY}"
    names = ("text", "cause", "language", "audio_url", "utterance_id", "token")
    fields = dict.fromkeys(names, secret)
    everything = {**fields, "metadata": {"a": secret}}
    async with connected(attacked, "c", Authorization=secret) as client:
        await client.hello(metadata={"a": secret}, deliver="none")
        for kind in ("transcript_update", "ai_response", "state_update", "speech_event", secret):
            for more in ({}, {"is_final": True}, {"is_final": secret}, {"metadata": secret}):
                payload = {**everything, "state": secret, "kind": secret, **more}
                await client.socket.send(json.dumps({"type": kind, "id": "1", "payload": payload}))
                await client.receive()
        for text in (secret, f'{{"type": "{secret}"', f'"{secret}\\ud800"'):
            await refusal(client, text)
        await client.said("2", secret)
        await client.send("state_update", "3", state="listening", cause=secret)
        await client.receive()
    async with httpx.AsyncClient(base_url=attacked.url) as http:
        wrong: list[Any] = [{"text": secret, "role": secret}, {"text": [secret]}, secret]
        for body in wrong:
            await http.post("/api/v2/conversations/c/messages", json=body)
        metrics = (await http.get("/metrics")).text
    assert CANARY not in metrics
    assert "parley_gateway_frames_total" in metrics
