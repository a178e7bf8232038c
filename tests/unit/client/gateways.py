"""A gateway of a few lines, which does to its clients what a test tells it to."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.server import Server, ServerConnection, serve

Payload = dict[str, Any]


@dataclass
class Peer:
    """One connection, as the gateway sees it."""

    socket: ServerConnection
    conversation_id: str
    number: int
    hello: Payload

    async def send(self, kind: str, payload: Payload, position: str | None = None) -> None:
        frame = {"type": kind, "payload": payload, "position": position}
        await self.socket.send(orjson.dumps(frame).decode())

    async def error(self, code: str, retryable: bool, **payload: Any) -> None:
        await self.send("error", {"code": code, "message": "-", "retryable": retryable, **payload})

    async def close(self, code: int) -> None:
        await self.socket.close(code)


@dataclass
class Taken:
    """A frame that came, over which connection."""

    peer: Peer
    kind: str
    id: str | None
    payload: Payload


Answer = Callable[[Taken], Awaitable[None]]
Greet = Callable[[Peer], Awaitable[bool]]


@dataclass
class Gateway:
    """Greets and acknowledges; `answer` and `greet` may be replaced at any time."""

    answer: Answer | None = None
    greet: Greet | None = None
    peers: list[Peer] = field(default_factory=list)
    taken: list[Taken] = field(default_factory=list)
    port: int = 0
    _server: Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hellos(self) -> list[Payload]:
        return [peer.hello for peer in self.peers]

    def texts(self) -> list[str]:
        """What was said, copies included, in the order of arrival."""
        return [one.payload["text"] for one in self.taken if "text" in one.payload]

    def rows(self) -> list[str]:
        """What would be stored: each id of each client once."""
        rows = {
            (one.peer.conversation_id, one.peer.hello["client_id"], one.id): one.payload["text"]
            for one in self.taken
            if one.id is not None and "text" in one.payload
        }
        return list(rows.values())

    async def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        server = await serve(self._serve, "127.0.0.1", self.port, close_timeout=0.5)
        self._server = server
        self.port = next(iter(server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Go away, without a word to anybody."""
        if self._server is not None:
            for peer in self.peers:
                peer.socket.transport.abort()
            self._server.close()
            await self._server.wait_closed()

    async def acknowledge(self, taken: Taken) -> None:
        """The usual answer."""
        if taken.id is not None:
            payload = {"id": taken.id, "event_id": f"e-{taken.id}", "position": f"p-{taken.id}"}
            await taken.peer.send("ack", payload)
        if taken.kind == "end":
            await taken.peer.close(1000)

    async def welcome(self, peer: Peer, **more: Any) -> None:
        """The usual greeting."""
        session_id = peer.hello.get("session_id") or f"s-{peer.number}"
        generation = peer.hello.get("generation", 0) + 1
        connected = {"status": "connected", "session_id": session_id, "generation": generation}
        await peer.send("connection_status", {**connected, "position": "p-0", **more})

    async def _serve(self, socket: ServerConnection) -> None:
        hello = orjson.loads(await socket.recv())["payload"]
        assert socket.request is not None
        conversation_id = socket.request.path.rpartition("/")[2]
        peer = Peer(socket, conversation_id, len(self.peers) + 1, hello)
        self.peers.append(peer)
        if self.greet is not None:
            if not await self.greet(peer):
                return
        else:
            await self.welcome(peer)
        async for text in socket:
            frame = orjson.loads(text)
            taken = Taken(peer, frame["type"], frame.get("id"), frame.get("payload", {}))
            self.taken.append(taken)
            await (self.answer or self.acknowledge)(taken)


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The gateway, until the end of the `async with`."""
    await gateway.start()
    try:
        async with asyncio.timeout(30):
            yield gateway
    finally:
        await gateway.stop()
