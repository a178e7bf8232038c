"""A receiver of webhooks on this machine: it notes what it is told, fails on request, or hangs."""

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.support.connections import Connections

# What is answered: a status, or nothing for as long as the asker waits.
Behaviour = Callable[["Told"], int | None]
NETWORKS = '["127.0.0.0/8"]'


@dataclass(frozen=True, slots=True)
class Told:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery_id(self) -> str:
        return self.headers["parley-delivery"]

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def verdict(self) -> Any:
        return self.content["verdict"]

    def is_signed_by(self, secret: str, key_id: str) -> bool:
        """Checked by hand, in other words than those that sign."""
        parts = dict(one.split("=") for one in self.headers["parley-signature"].split(","))
        signed = f"{parts['t']}.".encode() + self.body
        expected = hmac.new(secret.encode(), signed, sha256).hexdigest()
        return parts.get(key_id) == expected


@dataclass
class Receiver:
    """Answers by its `behave`; `told` holds every request that was answered with 2xx."""

    behave: Behaviour = lambda _: 200
    told: list[Told] = field(default_factory=list)
    asked: list[Told] = field(default_factory=list)
    url: str = ""

    def ids(self) -> list[str]:
        return [one.delivery_id for one in self.told]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            one = await _read(reader)
            self.asked.append(one)
            status = self.behave(one)
            if status is None:
                await reader.read()
                return
            if status // 100 == 2:
                self.told.append(one)
            writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            # Whoever asked was killed.
            return
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Told:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return Told(head[0].split(" ")[1], headers, body)


@asynccontextmanager
async def receiving(behave: Behaviour = lambda _: 200) -> AsyncIterator[Receiver]:
    """A receiver that listens until the end."""
    receiver = Receiver(behave)
    connections = Connections(receiver.serve)
    server = await asyncio.start_server(connections.take, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/in"
    try:
        yield receiver
    finally:
        server.close()
        await connections.end()
        await server.wait_closed()
