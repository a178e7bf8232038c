"""A language model's provider on loopback, with the faults that a test writes into its script."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

MODEL: Final = "scripted-model"
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Says:
    """A good answer, after a while."""

    text: str | None
    finish_reason: str = "stop"
    after_s: float = 0.0


@dataclass(frozen=True)
class Refuses:
    """An error of the protocol, such as 429 with `retry-after`."""

    status: int
    code: str = "some_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "no"


@dataclass(frozen=True)
class Sends:
    """Any body whatsoever."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass(frozen=True)
class Stalls:
    """Takes the request and says nothing."""


@dataclass(frozen=True)
class BreaksOff:
    """Closes the connection in the middle of its answer."""


Act = Says | Refuses | Sends | Stalls | BreaksOff


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each message."""
        return [(one["role"], one["content"]) for one in self.body["messages"]]


class Provider:
    """Follows its script, an act for each request, and then always says the same."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.script: deque[Act] = deque()
        self.otherwise: Act = Says("the answer")
        self.port = 0
        self.most_at_once = 0
        self._at_once = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def acts(self, *acts: Act) -> None:
        """What it does with the next requests."""
        self.script.extend(acts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with all its requests."""
        try:
            while (asked := await _read(reader)) is not None:
                self.asked.append(asked)
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
                try:
                    goes_on = await self._act(writer, asked)
                finally:
                    self._at_once -= 1
                if not goes_on:
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            # The client gave up, which some tests are about.
            return
        finally:
            writer.close()

    async def _act(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        act = self.script.popleft() if self.script else self.otherwise
        match act:
            case Says():
                await asyncio.sleep(act.after_s)
                _write(writer, 200, _completion(asked.body.get("model", MODEL), act))
            case Refuses():
                error = {"error": {"message": act.message, "code": act.code, "type": act.code}}
                _write(writer, act.status, json.dumps(error).encode(), headers=act.headers)
            case Sends():
                _write(writer, act.status, act.body, act.content_type)
            case Stalls():
                await asyncio.sleep(3600)
            case BreaksOff():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                await writer.drain()
                return False
        await writer.drain()
        return True


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """A provider on a free port, whose connections end with the test."""
    provider = Provider()
    connections: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(provider.serve(reader, writer))
        connections.add(task)
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        await server.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(_END)).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.strip().split("\r\n")
    parts = [line.partition(":") for line in lines]
    headers = {name.lower(): value.strip() for name, _, value in parts}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(first.split(" ")[1], headers, json.loads(body or b"{}"))


def _write(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes,
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> None:
    lines = {
        "Content-Type": content_type,
        "Content-Length": str(len(body)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    # Without a phrase, since providers answer with numbers that no list has, such as 529.
    first = f"HTTP/1.1 {status} \r\n"
    writer.write(f"{first}{head}\r\n".encode() + body)


def _completion(model: str, says: Says) -> bytes:
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "finish_reason": says.finish_reason,
                "message": {"role": "assistant", "content": says.text},
            }
        ],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return json.dumps(completion).encode()
