"""A language model's provider on loopback, with the faults that a test writes into its script.

    async with running_provider() as provider:
        provider.acts(Refuses(429, headers={"retry-after": "2"}), Answers())   # in this order
        provider.rule = lambda asked: Stalls() if asked.says("hang") else None  # or by the prompt
        provider.otherwise = Answers()        # whatever fits the schema that is asked for
        … OPENAI_BASE_URL=provider.base_url, OPENAI_API_KEY=anything …
        assert provider.calls_with("said in one segment only") == 1
        assert provider.input_tokens == provider.call_count * 11

It speaks HTTP for real, so that processes of their own can call it, too. `asked` keeps every
request, unless `keeps_requests` is False; the counts are kept always.
"""

import asyncio
import json
import socket
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from tests.support.acts import (
    Act,
    Answers,
    BreaksOff,
    Drips,
    Floods,
    Refuses,
    Resets,
    Says,
    Sends,
    Stalls,
)
from tests.support.connections import Connections
from tests.support.fitting import fitting

__all__ = (
    "Act",
    "Answers",
    "Asked",
    "BreaksOff",
    "Drips",
    "Floods",
    "Provider",
    "Refuses",
    "Resets",
    "Says",
    "Sends",
    "Stalls",
    "running_provider",
)

MODEL: Final = "scripted-model"
_END: Final = b"\r\n\r\n"


@dataclass(frozen=True)
class Asked:
    """A request that came in."""

    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]

    @property
    def turns(self) -> list[tuple[str, str]]:
        """Role and text of each message."""
        return [(one["role"], one["content"]) for one in self.body.get("messages", ())]

    @property
    def prompt_digest(self) -> str:
        """The same for requests with the same messages."""
        return sha256(json.dumps(self.turns).encode()).hexdigest()

    def says(self, text: str) -> bool:
        """Whether a message has this text in it."""
        return any(text in said for _, said in self.turns)

    def schema(self) -> Mapping[str, Any]:
        """The schema that the answer is to fit; empty where none is asked for."""
        wanted = self.body.get("response_format", {})
        found: Mapping[str, Any] = wanted.get("json_schema", {}).get("schema", {})
        return found


class Provider:
    """Follows its script, an act for each request, then its rule, and then always says the same."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.keeps_requests = True
        self.script: deque[Act] = deque()
        self.rule: Callable[[Asked], Act | None] = lambda _: None
        self.otherwise: Act = Says("the answer")
        self.port = 0
        self.call_count = 0
        self.calls_by_prompt: Counter[str] = Counter()
        self.input_tokens = 0
        self.output_tokens = 0
        self.most_at_once = 0
        self._at_once = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def acts(self, *acts: Act) -> None:
        """What it does with the next requests."""
        self.script.extend(acts)

    def calls_with(self, text: str) -> int:
        """How many requests had this text in a message."""
        return sum(asked.says(text) for asked in self.asked)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection with all its requests."""
        try:
            while (asked := await _read(reader)) is not None:
                self._note(asked)
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

    def _note(self, asked: Asked) -> None:
        self.call_count += 1
        self.calls_by_prompt[asked.prompt_digest] += 1
        if self.keeps_requests:
            self.asked.append(asked)

    def _next(self, asked: Asked) -> Act:
        if self.script:
            return self.script.popleft()
        return self.rule(asked) or self.otherwise

    async def _act(self, writer: asyncio.StreamWriter, asked: Asked) -> bool:
        """Whether the connection goes on."""
        act = self._next(asked)
        match act:
            case Says():
                await self._say(writer, asked, act)
            case Answers():
                output = fitting(asked.schema()) if act.output is None else act.output
                text = json.dumps(output, ensure_ascii=False)
                tokens = act.input_tokens, act.output_tokens
                await self._say(writer, asked, Says(text, "stop", act.after_s, *tokens))
            case Refuses():
                error = {"error": {"message": act.message, "code": act.code, "type": act.code}}
                _write(writer, act.status, json.dumps(error).encode(), headers=act.headers)
            case Sends():
                _write(writer, act.status, act.body, act.content_type)
            case Stalls():
                await asyncio.sleep(3600)
            case Drips():
                await _drip(writer, _completion(MODEL, Says(act.text)), act.every_s)
            case Floods():
                await _flood(writer, act)
            case BreaksOff():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{")
                await writer.drain()
                return False
            case Resets():
                _reset(writer)
                return False
        await writer.drain()
        return True

    async def _say(self, writer: asyncio.StreamWriter, asked: Asked, act: Says) -> None:
        await asyncio.sleep(act.after_s)
        self.input_tokens += act.input_tokens
        self.output_tokens += act.output_tokens
        _write(writer, 200, _completion(act.model or asked.body.get("model", MODEL), act))


@asynccontextmanager
async def running_provider() -> AsyncIterator[Provider]:
    """A provider on a free port, whose connections end with the test."""
    provider = Provider()
    connections = Connections(provider.serve)
    server = await asyncio.start_server(connections.take, "127.0.0.1", 0)
    provider.port = server.sockets[0].getsockname()[1]
    try:
        yield provider
    finally:
        server.close()
        await connections.end()
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


async def _drip(writer: asyncio.StreamWriter, body: bytes, every_s: float) -> None:
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode())
    for place in range(len(body)):
        writer.write(body[place : place + 1])
        await writer.drain()
        await asyncio.sleep(every_s)


async def _flood(writer: asyncio.StreamWriter, act: Floods) -> None:
    writer.write(f"HTTP/1.1 {act.status} \r\nContent-Length: {act.size_bytes}\r\n\r\n".encode())
    piece = b" " * 65_536
    for sent in range(0, act.size_bytes, len(piece)):
        writer.write(piece[: act.size_bytes - sent])
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    # To linger for no time means RST in place of FIN.
    found = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    with suppress(OSError):
        writer.transport.abort()


def _completion(model: str, says: Says) -> bytes:
    message = {"role": "assistant", "content": says.text, "refusal": says.refusal}
    tokens = says.input_tokens, says.output_tokens
    usage = dict(zip(("prompt_tokens", "completion_tokens"), tokens, strict=True))
    completion = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": model,
        "choices": [{"index": 0, "finish_reason": says.finish_reason, "message": message}],
        "usage": {**usage, "total_tokens": sum(tokens)} if says.has_usage else None,
    }
    return json.dumps(completion).encode()
