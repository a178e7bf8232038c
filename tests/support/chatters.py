"""Clients for fault tests: they talk, listen, come back elsewhere, and write everything down."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from parley.position import Position

Frame = dict[str, Any]

OPEN_TIMEOUT_S = 5
MOST_UNACKNOWLEDGED = 8


class Reachable(Protocol):
    """Where a gateway listens."""

    @property
    def port(self) -> int: ...


class Chatter:
    """One program of one conversation, which outlives any of its connections.

    It keeps its `client_id`, its session and its position, connects to any of the gateways, and
    sends again under the same id what was not acknowledged or was refused for now.
    """

    def __init__(
        self,
        name: str,
        conversation_id: str,
        gateways: Sequence[Reachable],
        *,
        every_s: float = 0.2,
        text: str = "hello",
        deliver: str = "all",
        talks: bool = True,
        longest_away_s: float = 0.2,
    ) -> None:
        self.name = name
        self.conversation_id = conversation_id
        self._gateways = gateways
        self._chance = random.Random(name)
        self._every_s = every_s
        self._text = text
        self._deliver = deliver
        self._longest_away_s = longest_away_s
        self.talks = talks
        self.is_connected = asyncio.Event()
        # The ledger: ids with their event ids, and durable frames with their positions.
        self.acknowledged: dict[str, str] = {}
        self.unacknowledged: dict[str, str] = {}
        self.refused: dict[str, str] = {}
        self.seen: dict[str, str] = {}
        self.codes: Counter[str] = Counter()
        self.gaps: list[str] = []
        self.disorder: list[tuple[str, str]] = []
        self.latencies_s: list[float] = []
        self.connection_count = 0
        self.copies = 0
        self.position: str | None = None
        self._session: Frame = {}
        self._next_number = 0
        self._sent_s: dict[str, float] = {}
        self._again: asyncio.Queue[str] = asyncio.Queue()

    async def run(self) -> None:
        """Be there until cancelled, over as many connections as it takes."""
        while True:
            gateway = self._chance.choice(self._gateways)
            try:
                await self._stay(gateway.port)
            except (OSError, EOFError, ConnectionClosed, InvalidHandshake, TimeoutError) as error:
                self.codes[type(error).__name__] += 1
            self.is_connected.clear()
            await asyncio.sleep(self._chance.uniform(0.02, self._longest_away_s))

    async def _stay(self, port: int) -> None:
        url = f"ws://127.0.0.1:{port}/api/ws/conversations/{self.conversation_id}"
        async with connect(
            url, open_timeout=OPEN_TIMEOUT_S, compression=None, proxy=None, max_queue=None
        ) as socket:
            await self._greet(socket)
            talking = asyncio.create_task(self._talk(socket))
            try:
                async for text in socket:
                    self._take(orjson.loads(text))
            finally:
                talking.cancel()
                with suppress(asyncio.CancelledError, ConnectionClosed):
                    await talking

    async def _greet(self, socket: ClientConnection) -> None:
        hello = {"client_id": self.name, "deliver": self._deliver, **self._session}
        if self.position is not None:
            hello["position"] = self.position
        await socket.send(orjson.dumps({"type": "hello", "payload": hello}), text=True)
        async with asyncio.timeout(OPEN_TIMEOUT_S):
            frame = orjson.loads(await socket.recv())
        if frame["type"] == "error":
            # Such as `overloaded`: the gateway closes then, and the next one may do better.
            self.codes[frame["payload"]["code"]] += 1
            raise EOFError(frame["payload"]["code"])
        status = frame["payload"]
        assert status["status"] == "connected", frame
        self._session = {name: status[name] for name in ("session_id", "generation")}
        if self.position is None:
            self.position = status["position"]
        self.connection_count += 1
        self.is_connected.set()

    # --- talking ------------------------------------------------------------------------------

    async def _talk(self, socket: ClientConnection) -> None:
        for frame_id in list(self.unacknowledged):
            await self._send(socket, frame_id)
        while True:
            try:
                async with asyncio.timeout(self._every_s * self._chance.uniform(0.5, 1.5)):
                    frame_id = await self._again.get()
            except TimeoutError:
                if not self.talks or len(self.unacknowledged) >= MOST_UNACKNOWLEDGED:
                    continue
                frame_id = self._make()
            if frame_id in self.unacknowledged:
                await self._send(socket, frame_id)

    def _make(self) -> str:
        frame_id = str(self._next_number)
        self._next_number += 1
        self.unacknowledged[frame_id] = f"{self.name} {frame_id} {self._text}"
        return frame_id

    async def _send(self, socket: ClientConnection, frame_id: str) -> None:
        payload = {"text": self.unacknowledged[frame_id], "is_final": True}
        frame = {"type": "transcript_update", "id": frame_id, "payload": payload}
        self._sent_s[frame_id] = asyncio.get_running_loop().time()
        await socket.send(orjson.dumps(frame), text=True)

    # --- listening ----------------------------------------------------------------------------

    def _take(self, frame: Frame) -> None:
        payload = frame["payload"]
        match frame["type"]:
            case "ack":
                self._take_ack(payload)
            case "error":
                self._take_error(payload)
            case "connection_status" if payload["status"] == "resumed":
                if not payload["recovered"]:
                    self.gaps.append(payload.get("reason", ""))
            case _ if "position" in frame:
                self._take_durable(frame["position"], payload["event_id"])

    def _take_ack(self, payload: Frame) -> None:
        frame_id, event_id = payload["id"], payload["event_id"]
        assert self.acknowledged.setdefault(frame_id, event_id) == event_id
        if self.unacknowledged.pop(frame_id, None) is not None:
            now_s = asyncio.get_running_loop().time()
            self.latencies_s.append(now_s - self._sent_s.pop(frame_id))

    def _take_error(self, payload: Frame) -> None:
        frame_id = payload.get("id")
        self.codes[payload["code"]] += 1
        if frame_id is None:
            return
        if payload["retryable"]:
            wait_s = payload.get("retry_after_ms", 0) / 1000
            asyncio.get_running_loop().call_later(wait_s, self._again.put_nowait, frame_id)
        else:
            self.refused[frame_id] = payload["code"]
            self.unacknowledged.pop(frame_id, None)

    def _take_durable(self, position: str, event_id: str) -> None:
        if self.position is not None and not _is_after(position, self.position):
            self.disorder.append((self.position, position))
        self.position = position
        if event_id in self.seen:
            # What a client sent again after its gateway died may be in the log twice.
            self.copies += 1
        else:
            self.seen[event_id] = position


def _is_after(position: str, other: str) -> bool:
    mine, others = Position.parse(position), Position.parse(other)
    assert (mine.incarnation, mine.partition) == (others.incarnation, others.partition)
    return mine.offset > others.offset


@asynccontextmanager
async def chatting(chatters: Sequence[Chatter]) -> AsyncIterator[None]:
    """Run them, all connected before the body begins; a fault of one of them fails the body."""
    before = [one.talks for one in chatters]
    for one in chatters:
        one.talks = False
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one.run()) for one in chatters]
        for one in chatters:
            await one.is_connected.wait()
        for one, talks in zip(chatters, before, strict=True):
            one.talks = talks
        yield
        for task in tasks:
            task.cancel()


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
