"""`connect`: refusals and silence are raised with what can be done."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from parley import clock
from parley.client import (
    InvalidArgument,
    Refused,
    connect,
)
from tests.unit.client.conversation.hearing import heard
from tests.unit.client.gateways import Gateway, Peer, Taken


async def test_a_refusal_is_raised_with_what_would_be_allowed(gateway: Gateway) -> None:
    async def refuse(taken: Taken) -> None:
        more = {"id": taken.id, "state": "idle", "allowed": ["listening", "error", "ended"]}
        await taken.peer.error("invalid_transition", False, **more)

    gateway.answer = refuse
    async with connect(gateway.url, "c") as talk:
        with pytest.raises(Refused) as refused:
            await talk.transition("speaking")
    error = refused.value
    assert (error.code, error.retryable, error.state) == ("invalid_transition", False, "idle")
    assert error.allowed == ("listening", "error", "ended")


async def test_a_retryable_refusal_is_tried_until_patience_ends_and_then_again_by_its_id(
    gateway: Gateway,
) -> None:
    async def refuse(taken: Taken) -> None:
        await taken.peer.error("overloaded", True, id=taken.id, retry_after_ms=50)

    gateway.answer = refuse
    async with connect(gateway.url, "c", patience_s=0.5) as talk:
        began_s = clock.monotonic()
        with pytest.raises(Refused) as refused:
            await talk.say("x")
        assert 0.5 <= clock.monotonic() - began_s < 2
        assert (refused.value.code, refused.value.retryable) == ("overloaded", True)
        assert len(gateway.taken) > 3
        gateway.answer = None
        ack = await talk.say("x", id=refused.value.id)
        assert ack.id == refused.value.id
    assert gateway.rows() == ["x"]


async def test_silence_is_not_acknowledged_and_says_so(gateway: Gateway) -> None:
    async def ignore(_: Taken) -> None:
        return

    gateway.answer = ignore
    async with connect(gateway.url, "c", patience_s=0.2) as talk:
        with pytest.raises(Refused) as refused:
            await talk.say("x")
    assert (refused.value.code, refused.value.retryable) == ("not_acknowledged", True)
    assert refused.value.id == gateway.taken[0].id


@pytest.mark.parametrize("code", ["unauthenticated", "forbidden", "invalid_frame"])
async def test_a_refused_hello_is_raised_at_once(gateway: Gateway, code: str) -> None:
    async def refuse(peer: Peer) -> bool:
        await peer.error(code, False)
        return False

    gateway.greet = refuse
    with pytest.raises(Refused, match=code):
        async with connect(gateway.url, "c"):
            pass
    assert len(gateway.peers) == 1


async def test_a_token_that_is_refused_later_ends_the_iteration_with_the_reason(
    gateway: Gateway,
) -> None:
    async def once(peer: Peer) -> bool:
        if peer.number == 1:
            await gateway.welcome(peer)
            return True
        await peer.error("token_expired", False)
        return False

    gateway.greet = once
    async with connect(gateway.url, "c") as talk:
        gateway.peers[0].socket.transport.abort()
        with pytest.raises(Refused, match="token_expired"):
            await heard(talk, 1)
        with pytest.raises(Refused):
            await talk.say("x")


async def test_nothing_wrong_is_sent(gateway: Gateway) -> None:
    nobody: Any = "nobody"
    async with connect(gateway.url, "c") as talk:
        for wrong in (talk.say(""), talk.say("x", role=nobody), talk.say("x" * 70_000)):
            with pytest.raises(InvalidArgument):
                await wrong
        with pytest.raises(InvalidArgument):
            await talk.say("x", metadata={"a": object()})
    assert gateway.taken == []


@asynccontextmanager
async def serving_nothing() -> AsyncIterator[str]:
    """A server that is no gateway."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_no_gateway_is_refused_at_once() -> None:
    async with serving_nothing() as url:
        with pytest.raises(Refused, match="http_404"):
            async with connect(url, "c"):
                pass


async def test_a_server_that_says_nothing_takes_no_longer_than_the_patience() -> None:
    leaving = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await leaving.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        began_s = clock.monotonic()
        with pytest.raises(Refused, match="unreachable"):
            async with connect(url, "c", patience_s=0.3):
                pass
        assert clock.monotonic() - began_s < 3
        leaving.set()
