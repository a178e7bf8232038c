"""Connections whose frames are kept as they come, for tests of what a conversation sees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.integration.gateway.clients import Client, Frame, connected
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually


class Reader:
    """A connection that reads; `hello` is how it was welcomed."""

    def __init__(self, client: Client, hello: Frame) -> None:
        self.client = client
        self.hello = hello
        self.frames: list[Frame] = []

    async def read(self) -> None:
        """Keep every frame until cancelled."""
        while True:
            self.frames.append(await self.client.receive())

    def durable(self) -> list[tuple[str, str]]:
        """Positions and event ids of the durable frames, in the order of their arrival."""
        return [
            (one["position"], one["payload"]["event_id"])
            for one in self.frames
            if "position" in one and one["type"] != "ack"
        ]

    def payloads(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of the frames of a type."""
        return [one["payload"] for one in self.frames if one["type"] == kind]

    async def until(self, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """The payloads of a type, once there are so many."""

        async def is_there() -> bool:
            return len(self.payloads(kind)) >= count

        await eventually(is_there, every=0.01)
        return self.payloads(kind)

    def session(self) -> dict[str, Any]:
        """What a hello says to come back to this session."""
        return {name: self.hello[name] for name in ("session_id", "generation")}


@asynccontextmanager
async def reading(
    gateway: ServiceProcess, conversation: str, **hello: Any
) -> AsyncIterator[Reader]:
    """A connection that has said hello and keeps what it is sent."""
    async with connected(gateway, conversation) as client:
        reader = Reader(client, await client.hello(**{"deliver": "all", **hello}))
        task = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
