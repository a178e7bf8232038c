"""Whatever comes in at the gateway's port, it answers with a refusal and goes on serving."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from parley import clock
from parley.settings import Settings
from tests.integration.gateway.clients import connected
from tests.integration.gateway.hostile import CANARY, HOSTS, origins
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

PATIENCE_S: Final = 5.0
HANDSHAKE: Final = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
PATH: Final = b"/api/ws/conversations/c"
_POST: Final = b"POST /api/v2/conversations/c/messages HTTP/1.1\r\nHost: localhost\r\n"

GARBAGE: Final = (
    b"",
    b"\0" * 1_000,
    os.urandom(4_000),
    b"\r\n" * 1_000,
    b"hello\r\n\r\n",
    b"GET /\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /api/v2/conversations/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://evil.example/api/v2/conversations HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX : y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n",
    b"GET /" + b"x" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    _POST + b"Content-Length: -1\r\n\r\n",
    _POST + b"Content-Length: 1e3\r\n\r\n",
    _POST + b"Content-Length: 99999999999999999999\r\n\r\n{",
    _POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    _POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    _POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    _POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    _POST + b"Content-Length: 5\r\n\r\n{}",
)
# What some servers take and others do not: it may be answered, but not with a fault.
STRANGE: Final = (
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
    _POST + b"Expect: 100-continue\r\nContent-Length: 1000000\r\n\r\n",
)
NO_HANDSHAKES: Final[tuple[tuple[bytes, ...], ...]] = (
    (b"Sec-WebSocket-Version: 12",),
    (b"Sec-WebSocket-Key: short",),
    (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",) * 2,
    (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Key: \xff\xff"),
    (),
)
NO_WEBSOCKET_FRAMES: Final = (
    (b"\x81\x02{}", 1002),
    (b"\xc1\x80\0\0\0\0", 1002),
    (b"\x83\x80\0\0\0\0", 1002),
    (b"\x80\x80\0\0\0\0", 1002),
    (b"\x89\xfe\x00\x7e\0\0\0\0" + bytes(126), 1002),
    (b"\x09\x80\0\0\0\0", 1002),
    (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1009),
    (b"\x81\xff" + (2**40).to_bytes(8, "big") + b"\0\0\0\0", 1009),
    (b"\x81\x82\0\0\0\0\xff\xfe", 1007),
    (b"\x88\x81\0\0\0\0\x03", 1002),
)


@pytest.fixture
async def attacked(settings: Settings) -> AsyncIterator[ServiceProcess]:
    """A gateway that is attacked while somebody talks, and which must not notice."""
    with ServiceProcess("gateway", settings, PARLEY_GATEWAY_RECONNECT_GRACE="1") as gateway:
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


async def answer(gateway: ServiceProcess, sent: bytes, *, ends: bool = True) -> bytes:
    """What comes back until the gateway closes, or for a short while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    try:
        writer.write(sent)
        if ends:
            writer.write_eof()
        await writer.drain()
        async with asyncio.timeout(PATIENCE_S):
            return await reader.read(64 * 1024)
    except OSError:
        # Closed before all was sent.
        return b""
    finally:
        writer.close()


def status_of(answered: bytes) -> int | None:
    """The status of an answer; None for none, as when the connection was closed."""
    return int(answered.split(b" ", 2)[1]) if answered.startswith(b"HTTP/1.1 ") else None


def is_refusal(status: int | None) -> bool:
    return status is None or 400 <= status < 500


def handshake(*headers: bytes, path: bytes = PATH) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return b"GET " + path + b" HTTP/1.1\r\n" + lines + HANDSHAKE + b"\r\n"


async def in_turn(gateway: ServiceProcess, requests: Sequence[bytes]) -> list[int | None]:
    """The statuses of many requests, 20 at a time."""
    turns = asyncio.Semaphore(20)

    async def one(request: bytes) -> int | None:
        async with turns:
            return status_of(await answer(gateway, request, ends=False))

    return await asyncio.gather(*(one(request) for request in requests))


async def test_a_thousand_foreign_origins_are_refused_and_the_own_one_is_not(
    attacked: ServiceProcess,
) -> None:
    host = f"Host: 127.0.0.1:{attacked.port}".encode()
    foreign = list(origins("127.0.0.1", attacked.port))
    assert len(set(foreign)) == 1_000
    statuses = await in_turn(attacked, [handshake(host, b"Origin: " + one) for one in foreign])
    let_in = [
        (origin, status) for origin, status in zip(foreign, statuses, strict=True) if status != 403
    ]
    assert let_in == []
    own = f"Origin: http://127.0.0.1:{attacked.port}".encode()
    assert await in_turn(attacked, [handshake(host, own), handshake(host)]) == [101, 101]


async def test_a_foreign_name_for_this_machine_is_refused(attacked: ServiceProcess) -> None:
    hosts = [f"Host: {host}".encode() for host in HOSTS]
    pages = [f"Origin: http://{host}".encode() for host in HOSTS]
    requests = [
        *(handshake(host) for host in hosts),
        *(handshake(host, page) for host, page in zip(hosts, pages, strict=True)),
        handshake(),
        handshake(b"Host: localhost", b"Host: evil.example"),
    ]
    statuses = await in_turn(attacked, requests)
    assert [status for status in statuses if not is_refusal(status)] == []


async def test_garbage_is_refused_or_dropped(attacked: ServiceProcess) -> None:
    for sent in GARBAGE:
        status = status_of(await answer(attacked, sent))
        assert is_refusal(status), (sent[:100], status)
    for sent in STRANGE:
        status = status_of(await answer(attacked, sent))
        assert status is None or status < 500, (sent[:100], status)


async def test_a_handshake_that_is_none_is_refused(attacked: ServiceProcess) -> None:
    for headers in NO_HANDSHAKES:
        lines = [b"Host: localhost", b"Connection: Upgrade", b"Upgrade: websocket", *headers]
        request = b"GET " + PATH + b" HTTP/1.1\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"
        status = status_of(await answer(attacked, request, ends=False))
        assert is_refusal(status), (headers, status)


async def test_a_frame_against_the_websocket_protocol_closes_the_connection(
    attacked: ServiceProcess,
) -> None:
    for frame, code in NO_WEBSOCKET_FRAMES:
        reader, writer = await asyncio.open_connection("127.0.0.1", attacked.port)
        writer.write(handshake(b"Host: localhost"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        writer.write(frame)
        async with asyncio.timeout(PATIENCE_S):
            closing = await reader.readexactly(4)
        writer.close()
        assert closing[0] == 0x88, frame
        assert (frame, int.from_bytes(closing[2:4], "big")) == (frame, code)


async def test_tls_is_not_spoken_and_the_attempt_is_survived(attacked: ServiceProcess) -> None:
    context = ssl.create_default_context()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", attacked.port, ssl=context)


async def test_a_crowd_that_never_finishes_its_requests_delays_nobody(
    attacked: ServiceProcess,
) -> None:
    """Half a handshake, a byte at a time, or nothing at all, from 300 connections."""
    starts = (b"", b"G", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", handshake()[:-2])
    crowd = []
    for number in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", attacked.port)
        writer.write(starts[number % len(starts)])
        crowd.append(writer)
    slowest_s = 0.0
    async with connected(attacked, "d") as client:
        await client.hello(deliver="none")
        for number in range(20):
            for writer in crowd:
                writer.write(b"x")
            began_s = clock.monotonic()
            await client.said(str(number))
            slowest_s = max(slowest_s, clock.monotonic() - began_s)
    for writer in crowd:
        writer.close()
    assert slowest_s < 2


async def test_a_crowd_that_connects_and_never_says_hello_is_shown_out(
    settings: Settings,
) -> None:
    with ServiceProcess("gateway", settings, PARLEY_GATEWAY_HELLO_TIMEOUT="0.5") as gateway:

        async def stay() -> int:
            async with connected(gateway, "c") as client:
                assert (await client.receive())["payload"]["code"] == "hello_timeout"
                with pytest.raises(ConnectionClosed) as closed:
                    await client.receive()
                assert closed.value.rcvd is not None
                return closed.value.rcvd.code

        assert set(await asyncio.gather(*(stay() for _ in range(100)))) == {1008}
        async with httpx.AsyncClient(base_url=gateway.url) as http:
            text = (await http.get("/metrics")).text
        assert "\nparley_gateway_connections 0.0\n" in text


async def test_no_request_with_wrong_types_is_a_fault_of_the_gateway(
    attacked: ServiceProcess,
) -> None:
    paths = [
        ("POST", "/api/v2/conversations/c/messages"),
        ("POST", "/api/v2/conversations/c/sessions"),
        ("POST", "/api/v2/conversations/c/sessions/s/end"),
        ("GET", "/api/v2/conversations/{}"),
        ("GET", "/api/v2/conversations/{}/messages"),
    ]
    ids = ["%00", "a%00", "x" * 600, "%ff", "..%2f..", "%F0%9F%98%80", "%20", "'%3b--"]
    bodies: list[Any] = [
        b"",
        b"[" * 10_000,
        b'{"text": "\\ud800"}',
        b'{"text": "\\u0000"}',
        b'{"text": NaN}',
        b'{"text": "x", "occurred_at": "9999-12-31T23:59:59-23:59"}',
        b'{"text": "x", "metadata": ' + b'{"a":' * 400 + b"1" + b"}" * 401,
        b'{"generation": ' + b"9" * 400 + b"}",
        b'{"generation": 1e400}',
        b"\xff\xfe",
        b'{"text": "x", "role": ["user"]}',
    ]
    async with httpx.AsyncClient(base_url=attacked.url) as http:
        for method, path in paths:
            if method == "POST":
                for body in bodies:
                    headers = {"content-type": "application/json"}
                    answered = await http.post(path, content=body, headers=headers)
                    assert answered.status_code < 500, (path, body[:80], answered.text)
                continue
            for one in ids:
                for query in ("", "?cursor=%00", "?cursor=x", "?limit=-1", "?limit=1e9"):
                    answered = await http.get(path.format(one) + query)
                    assert answered.status_code < 500, (path, one, query, answered.text)
