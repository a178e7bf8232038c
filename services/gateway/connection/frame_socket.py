"""What goes over a WebSocket, frame by frame; a client that is gone is nobody's error."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from parley import clock
from parley.tallies import Tally
from services.gateway import metrics
from services.gateway.connection.web_socket import LINE, Line
from services.gateway.core.frames import RawFrame
from services.gateway.core.outgoing import OutFrame, ack_text, frame_text
from services.gateway.core.parsing import UNKNOWN, metric_type
from services.gateway.core.refusals import Code, Refused
from services.gateway.stream import Recorded


class FrameSocket:
    """A WebSocket that speaks in frames.

    At first by ASGI: `next_text`, and `send` that waits for slow readers. After `hand_over`
    frames are given to a function, and `answer`, `acknowledge` and `turn_away` wait for nobody.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._line: Line = socket.scope["state"][LINE]
        # Once something could not be sent.
        self.is_gone = False

    @property
    def client_ip(self) -> str:
        """The client's address, where it is known."""
        client = self._socket.client
        return client.host if client else ""

    @property
    def user_agent(self) -> str:
        """What the client says that it is."""
        return self._socket.headers.get("user-agent", "")

    @property
    def is_writable(self) -> bool:
        """Whether the client reads what it is sent."""
        return self._line.is_writable

    async def accept(self, subprotocol: str | None = None) -> None:
        """Open it."""
        await self._socket.accept(subprotocol)

    async def next_text(self) -> str | None:
        """The next text frame; None once the client is gone. Others are refused on the way."""
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return None
            text: str | None = message.get("text")
            if text is not None:
                return text
            await self.refuse(None, binary_refused())

    async def refuse(self, raw: RawFrame | None, refused: Refused) -> None:
        """Answer a frame that was not taken."""
        self.count(raw, refused.code)
        await self._send_text(_error_text(raw, refused))

    def count(self, raw: RawFrame | None, outcome: str) -> None:
        """Note what became of a frame."""
        metrics.FRAMES.add(metric_type(raw.type) if raw else UNKNOWN, outcome)

    async def send(
        self, kind: str, payload: Mapping[str, Any], frame_id: str | None = None
    ) -> None:
        """Send a frame; what is None is left out."""
        await self._send_text(frame_text(kind, payload, clock.now(), frame_id=frame_id))

    async def pass_on(self, frame: OutFrame) -> None:
        """Send a frame that was made for all connections."""
        await self._send_text(frame.text)

    async def close(self, code: int) -> None:
        """Close it, if it is open."""
        try:
            await self._socket.close(code)
        except (WebSocketDisconnect, RuntimeError):
            # The client was quicker.
            return

    def evict(self, code: int) -> None:
        """Close it although the client takes nothing."""
        self._line.evict(code)

    async def _send_text(self, text: str) -> None:
        try:
            await self._socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            # The socket closed in between, which the reader sees too: nobody is left to tell.
            self.is_gone = True

    # --- below ASGI ---------------------------------------------------------------------------

    def hand_over(
        self, take: Callable[[str | bytes], None], on_writable: Callable[[], None]
    ) -> None:
        """Give every frame to `take`, and tell when a slow reader reads again."""
        self._line.hand_over(take, on_writable)

    async def gone(self) -> None:
        """Wait until the client is gone, after `hand_over`."""
        await self.next_text()

    def hold(self) -> None:
        """Do not read."""
        self._line.hold()

    def go_on(self) -> None:
        """Read again."""
        self._line.go_on()

    def write(self, text: str) -> None:
        """Send a frame's text."""
        self._line.write(text.encode())

    def answer(self, raw: RawFrame, kind: str) -> None:
        """Answer a frame with one that says nothing more."""
        self.count(raw, "ok")
        self.write(frame_text(kind, {}, clock.now(), frame_id=raw.frame_id))

    def acknowledge(self, raw: RawFrame, recorded: Recorded | None) -> None:
        """Answer a frame that is durable, or was only shown; one without an id is counted."""
        _taken(raw.type).count += 1
        if raw.frame_id is None or recorded is None:
            return
        event_id, position = recorded
        self._line.write(ack_text(raw.frame_id, event_id, str(position), clock.now_ms()))

    def turn_away(self, raw: RawFrame | None, refused: Refused) -> None:
        """Answer a frame that was not taken."""
        self.count(raw, refused.code)
        self.write(_error_text(raw, refused))


# Only of kinds that there are: a frame of another one is turned away.
@cache
def _taken(kind: str) -> Tally:
    return metrics.FRAMES.of(metric_type(kind), "ok")


def binary_refused() -> Refused:
    """What is answered to a frame that is no text."""
    return Refused(Code.BINARY_FRAME, "frames must be text")


def _error_text(raw: RawFrame | None, refused: Refused) -> str:
    frame_id = raw.frame_id if raw else None
    payload = {
        "id": frame_id,
        "code": refused.code,
        "message": refused.message,
        "retryable": refused.is_retryable,
        "retry_after_ms": refused.retry_after_ms,
        "state": refused.state,
        "allowed": refused.allowed,
    }
    return frame_text("error", payload, clock.now(), frame_id=frame_id)
