"""One simulated client: its WebSocket, its unacknowledged frames, and its reconnects."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from parley import clock
from parley.errors import UserError
from parley.events import Role
from parley.simulation.counts import Counts
from parley.simulation.plan import PlannedFrame

IN_FLIGHT: Final = 64
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
_END_ID: Final = "end"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who talks, where, and since when the simulation runs."""

    gateway_url: str
    conversation_id: str
    client_id: str
    user_id: str
    channel: str
    began_at: datetime
    began_monotonic_s: float


@dataclass(slots=True)
class _Pending:
    payload: dict[str, Any]
    frame_type: str
    sent_s: float
    copies: int = 1


class Client:
    """Says its frames at their times; what was not acknowledged is sent again, by the same id."""

    def __init__(self, speaker: Speaker, frames: Iterator[PlannedFrame], counts: Counts) -> None:
        self._speaker = speaker
        self._frames = frames
        self._counts = counts
        self._session: dict[str, Any] = {}
        self._pending: dict[str, _Pending] = {}
        self._to_resend: list[tuple[float, str]] = []
        self._answered = asyncio.Event()

    async def run(self) -> None:
        """Talk to the end of the frames, over as many connections as it takes.

        Raises UserError where the gateway does not want the client at all.
        """
        try:
            await self._connect_and_talk(_socket_url(self._speaker))
        except InvalidHandshake as error:
            raise UserError(
                f"{self._speaker.gateway_url} takes no WebSockets of conversations: {error}.",
                "Name a gateway of this release with --gateway.",
            ) from error

    async def _connect_and_talk(self, url: str) -> None:
        proxy: Literal[True] | None = None if urlsplit(url).hostname in LOOPBACK else True
        async for connection in connect(url, proxy=proxy, open_timeout=5):
            try:
                await self._hello(connection)
                await self._talk(connection)
            except ConnectionClosed:
                self._counts.reconnects += 1
            else:
                await connection.close()
                return

    async def _hello(self, connection: ClientConnection) -> None:
        payload = {
            "client_id": self._speaker.client_id,
            "user_id": self._speaker.user_id,
            "channel": self._speaker.channel,
            # It knows what it says itself, and nobody else is there.
            "deliver": "none",
            **self._session,
        }
        await connection.send(_frame("hello", payload))
        while True:
            frame = orjson.loads(await connection.recv())
            if frame["type"] == "connection_status" and frame["payload"]["status"] == "connected":
                self._session = {
                    name: frame["payload"][name] for name in ("session_id", "generation")
                }
                return
            if frame["type"] == "error" and not frame["payload"]["retryable"]:
                problem = f"The gateway refused a client: {frame['payload']['message']}."
                raise UserError(problem, "See `parley local logs gateway`.")

    async def _talk(self, connection: ClientConnection) -> None:
        reader = asyncio.create_task(self._read(connection))
        try:
            self._to_resend = [(0.0, frame_id) for frame_id in self._pending]
            for frame in self._frames:
                await self._sleep_until(frame.send_s)
                await self._settle(connection, reader, IN_FLIGHT - 1)
                await self._say(connection, frame)
            await self._settle(connection, reader, 0)
            await self._send(connection, _END_ID, _Pending({}, "end", clock.monotonic()))
            await self._settle(connection, reader, 0)
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)

    async def _say(self, connection: ClientConnection, frame: PlannedFrame) -> None:
        is_user = frame.role is Role.USER
        payload = {
            "text": frame.text,
            "occurred_at": self._speaker.began_at + timedelta(seconds=frame.due_s),
            **({"role": frame.role, "is_final": True} if is_user else {}),
        }
        kind = "transcript_update" if is_user else "ai_response"
        await self._send(connection, str(frame.number), _Pending(payload, kind, clock.monotonic()))

    async def _send(self, connection: ClientConnection, frame_id: str, frame: _Pending) -> None:
        known = self._pending.get(frame_id)
        if known is None:
            self._pending[frame_id] = frame
        else:
            known.copies += 1
        self._counts.sent += frame_id != _END_ID
        await connection.send(_frame(frame.frame_type, frame.payload, frame_id))

    async def _settle(
        self, connection: ClientConnection, reader: "asyncio.Task[None]", allowed: int
    ) -> None:
        """Resend what is to be sent again, and wait until no more than `allowed` are open."""
        while True:
            await self._resend(connection)
            if len(self._pending) <= allowed and not self._to_resend:
                return
            if reader.done():
                # It ends only by the connection's end, which it raises.
                reader.result()
            self._answered.clear()
            answered = asyncio.create_task(self._answered.wait())
            await asyncio.wait((answered, reader), return_when=asyncio.FIRST_COMPLETED)
            answered.cancel()

    async def _resend(self, connection: ClientConnection) -> None:
        waiting, self._to_resend = self._to_resend, []
        for delay_s, frame_id in waiting:
            frame = self._pending.get(frame_id)
            if frame is not None:
                await asyncio.sleep(delay_s)
                frame.copies = 1
                self._counts.resent += 1
                await connection.send(_frame(frame.frame_type, frame.payload, frame_id))

    async def _read(self, connection: ClientConnection) -> None:
        while True:
            frame = orjson.loads(await connection.recv())
            if frame["type"] == "ack":
                self._acknowledge(frame["payload"]["id"])
            elif frame["type"] == "error":
                self._refuse(frame["payload"])

    def _acknowledge(self, frame_id: str) -> None:
        frame = self._pending.get(frame_id)
        self._counts.acknowledged += frame_id != _END_ID
        self._answered.set()
        if frame is None:
            return
        self._counts.ack_seconds.append(clock.monotonic() - frame.sent_s)
        frame.copies -= 1
        if frame.copies <= 0:
            del self._pending[frame_id]

    def _refuse(self, error: dict[str, Any]) -> None:
        frame_id = error.get("id") or ""
        self._answered.set()
        if error["retryable"]:
            self._to_resend.append(((error.get("retry_after_ms") or 1000) / 1000, frame_id))
            return
        self._counts.refuse(error["code"], error["message"])
        self._pending.pop(frame_id, None)

    async def _sleep_until(self, send_s: float) -> None:
        delay_s = self._speaker.began_monotonic_s + send_s - clock.monotonic()
        if delay_s > 0:
            await asyncio.sleep(delay_s)


def _frame(kind: str, payload: dict[str, Any], frame_id: str | None = None) -> str:
    if kind != "hello":
        payload = {**payload, "sent_at": clock.now()}
    frame = {"type": kind, "payload": payload}
    if frame_id is not None:
        frame["id"] = frame_id
    return orjson.dumps(frame).decode()


def _socket_url(speaker: Speaker) -> str:
    parts = urlsplit(speaker.gateway_url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    path = (
        f"{parts.path.rstrip('/')}/api/ws/conversations/{quote(speaker.conversation_id, safe='')}"
    )
    return urlunsplit((scheme, parts.netloc, path, "", ""))
