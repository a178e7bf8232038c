"""WebSocket clients of the gateway, as a user would write them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from parley.codec import decode_event
from parley.events import Event
from parley.position import Position
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records

Frame = dict[str, Any]


class Client:
    """One connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def send(self, frame_type: str, frame_id: str | None = None, /, **payload: Any) -> None:
        frame = {"type": frame_type, "id": frame_id, "payload": payload}
        await self.socket.send(json.dumps(frame))

    async def say(self, frame_id: str, text: str = "hello", **payload: Any) -> None:
        await self.send("transcript_update", frame_id, text=text, is_final=True, **payload)

    async def receive(self) -> Frame:
        frame: Frame = json.loads(await self.socket.recv())
        return frame

    async def hello(self, **payload: Any) -> Frame:
        """Say hello and wait for the welcome; without `deliver` only answers come after it."""
        await self.send("hello", **{"deliver": "none", **payload})
        frame = await self.receive()
        assert frame["type"] == "connection_status", frame
        status: Frame = frame["payload"]
        assert status["status"] == "connected"
        return status

    async def said(self, frame_id: str, text: str = "hello", **payload: Any) -> Frame:
        """Say it and wait for the ack."""
        await self.say(frame_id, text, **payload)
        frame = await self.receive()
        assert (frame["type"], frame["payload"]["id"]) == ("ack", frame_id), frame
        ack: Frame = frame["payload"]
        return ack


@asynccontextmanager
async def connected(
    gateway: ServiceProcess, conversation_id: str, **headers: str
) -> AsyncIterator[Client]:
    """A connection that has not said hello yet."""
    url = f"ws://127.0.0.1:{gateway.port}/api/ws/conversations/{conversation_id}"
    async with connect(url, additional_headers=headers) as socket:
        yield Client(socket)


async def logged(settings: Settings, conversation_id: str) -> list[tuple[Position, Event]]:
    """The conversation's events in the log, in its order, with the place but no incarnation."""
    records = await read_records(settings, Topic.EVENTS)
    events = [(Position("", one.partition, one.offset), decode_event(one)) for one in records]
    return [(place, event) for place, event in events if event.conversation_id == conversation_id]


def place(position: str) -> Position:
    """A position without its incarnation."""
    found = Position.parse(position)
    return Position("", found.partition, found.offset)
