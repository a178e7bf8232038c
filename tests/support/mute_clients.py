"""Clients that say hello and then never read again, as a page does that the browser froze."""

import asyncio
import base64
import secrets
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson

TIMEOUT_S = 10.0
# As little as the kernel allows: what it takes for such a client is no test of the gateway.
RECEIVE_BUFFER_BYTES = 4_096


class MuteClient:
    """A WebSocket by hand, since every library would read."""

    def __init__(self, port: int, conversation_id: str) -> None:
        self._port = port
        self._path = f"/api/ws/conversations/{conversation_id}"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)

    def connect(self) -> None:
        """Connect, say hello, and wait until the gateway has answered something."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._socket.settimeout(TIMEOUT_S)
        self._socket.connect(("127.0.0.1", self._port))
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self._socket.sendall(
            f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\n"
            "Upgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        self._read_past(b"\r\n\r\n")
        self._socket.sendall(_masked(orjson.dumps({"type": "hello", "payload": {}})))
        self._read_past(b'"connected"')

    def close(self) -> None:
        """Go away."""
        self._socket.close()

    def _read_past(self, mark: bytes) -> None:
        read = b""
        while mark not in read:
            some = self._socket.recv(1024)
            if not some:
                raise EOFError(f"closed before {mark!r}")
            read += some


def _masked(payload: bytes) -> bytes:
    # A mask of zeros is a mask, and leaves the payload as it is.
    assert len(payload) < 126
    return struct.pack("!BB4x", 0x81, 0x80 | len(payload)) + payload


@asynccontextmanager
async def mutes(port: int, conversation_id: str, count: int) -> AsyncIterator[None]:
    """So many of them, connected a few at a time; they go away at the end."""
    clients = [MuteClient(port, conversation_id) for _ in range(count)]
    gate = asyncio.Semaphore(8)

    async def connect(client: MuteClient) -> None:
        async with gate:
            await asyncio.to_thread(client.connect)

    try:
        await asyncio.gather(*map(connect, clients))
        yield
    finally:
        for client in clients:
            client.close()
