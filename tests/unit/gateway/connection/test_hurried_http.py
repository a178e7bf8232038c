"""A request has its time, however its bytes are spread; a WebSocket has all the time there is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket

from parley import clock
from services.gateway.connection.hurried_http import HurriedHttp

REQUEST_S = 0.4
TURN_S = 0.02
# More than buffers hold.
LARGE = 16 * 1024 * 1024


class Impatient(HurriedHttp):
    """With less time, so that the tests have to wait less."""

    request_s = REQUEST_S


def app() -> FastAPI:
    made = FastAPI()

    @made.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @made.post("/slow")
    async def slow(request: Request) -> int:
        await asyncio.sleep(2 * REQUEST_S)
        return len(await request.body())

    @made.get("/large")
    async def large() -> Response:
        return Response(bytes(LARGE))

    @made.websocket("/ws")
    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())

    return made


@pytest.fixture
async def port() -> AsyncIterator[int]:
    config = uvicorn.Config(app(), http=Impatient, ws="websockets-sansio", log_config=None, port=0)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    yield server.servers[0].sockets[0].getsockname()[1]
    await server.shutdown()


def request(path: str, length: int) -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, drop: bytes) -> int:
    """How many turns the connection stays open for somebody who goes on with a drop in each.

    A turn is not counted by a clock: when the process stands still, server and client do.
    """
    turns = 0
    while not reader.at_eof():
        turns += 1
        try:
            writer.write(drop)
            with suppress(TimeoutError):
                async with asyncio.timeout(TURN_S):
                    await reader.read(1_024)
        except ConnectionError:
            # Whoever is shown out while bytes are under way is reset.
            break
    return turns


@pytest.mark.parametrize(
    ("sent", "drop"),
    [
        (b"", b""),
        (b"POST", b""),
        (b"POST /length HTTP/1.1\r\nX: ", b"x"),
        (request("/length", 1_000), b""),
        (request("/length", 1_000), b"x"),
        # Whoever has had one answer has no more time for the next request.
        (request("/length", 0) + b"POST", b"x"),
    ],
)
async def test_who_does_not_finish_a_request_in_time_is_shown_out(
    port: int, sent: bytes, drop: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_s = clock.monotonic()
    writer.write(sent)
    async with asyncio.timeout(60):
        turns = await drip(reader, writer, drop)
    writer.close()
    assert clock.monotonic() - began_s >= REQUEST_S * 0.9
    # Beside the time itself a few for what opening, closing and an answer before cost.
    assert turns <= REQUEST_S / TURN_S + 5


async def test_an_answer_may_take_longer_than_its_request(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request("/slow", 3) + b"abc")
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_each_request_of_a_connection_has_its_own_time(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(6):
        writer.write(request("/length", 4) + b"ab")
        await asyncio.sleep(REQUEST_S / 2)
        writer.write(b"cd")
        answer = await reader.readuntil(b"\r\n\r\n4")
        assert answer.startswith(b"HTTP/1.1 200")
    writer.close()


async def is_taken_whole(port: int, rest_s: float, pieces: int) -> bool:
    """Whether somebody gets all of a large answer who rests before each of so many pieces."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    try:
        await reader.readuntil(b"\r\n\r\n")
        for _ in range(pieces):
            await asyncio.sleep(rest_s)
            await reader.readexactly(LARGE // pieces)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    finally:
        writer.close()
    return True


async def test_who_takes_nothing_of_an_answer_is_shown_out(port: int) -> None:
    assert not await is_taken_whole(port, 4 * REQUEST_S, 1)


async def test_who_takes_an_answer_slowly_gets_all_of_it(port: int) -> None:
    assert await is_taken_whole(port, REQUEST_S / 4, 16)


async def test_a_websocket_may_be_quiet_for_longer(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
    await asyncio.sleep(2 * REQUEST_S)
    writer.write(b"\x81\x82\0\0\0\0ok")
    assert await reader.readexactly(4) == b"\x81\x02ok"
    writer.close()
