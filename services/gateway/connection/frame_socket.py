"""What goes over a WebSocket, frame by frame; a client that is gone is nobody's error."""

from collections.abc import Mapping
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from parley import clock
from services.gateway import metrics
from services.gateway.connection.web_socket import EVICT
from services.gateway.core.frames import RawFrame
from services.gateway.core.outgoing import OutFrame, frame_text
from services.gateway.core.parsing import UNKNOWN, metric_type
from services.gateway.core.refusals import Code, Refused
from services.gateway.stream import Recorded


class FrameSocket:
    """A WebSocket that speaks in frames: texts in, acknowledgements and errors out."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    @property
    def client_ip(self) -> str:
        """The client's address, where it is known."""
        client = self._socket.client
        return client.host if client else ""

    @property
    def user_agent(self) -> str:
        """What the client says that it is."""
        return self._socket.headers.get("user-agent", "")

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
            await self.refuse(None, Refused(Code.BINARY_FRAME, "frames must be text"))

    async def acknowledge(self, raw: RawFrame, recorded: Recorded | None) -> None:
        """Answer a frame that is durable, or was only shown; one without an id is counted."""
        self.count(raw, "ok")
        if raw.frame_id is None or recorded is None:
            return
        position = str(recorded.position)
        payload = {"id": raw.frame_id, "event_id": recorded.event_id, "position": position}
        await self.send("ack", payload, raw.frame_id, position)

    async def refuse(self, raw: RawFrame | None, refused: Refused) -> None:
        """Answer a frame that was not taken."""
        self.count(raw, refused.code)
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
        await self.send("error", payload, frame_id)

    def count(self, raw: RawFrame | None, outcome: str) -> None:
        """Note what became of a frame."""
        kind = metric_type(raw.type) if raw else UNKNOWN
        metrics.FRAMES.labels(kind, outcome).inc()

    async def send(
        self,
        kind: str,
        payload: Mapping[str, Any],
        frame_id: str | None = None,
        position: str | None = None,
    ) -> None:
        """Send a frame; what is None is left out."""
        await self._send_text(
            frame_text(kind, payload, clock.now(), frame_id=frame_id, position=position)
        )

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
        self._socket.scope["state"][EVICT](code)

    async def _send_text(self, text: str) -> None:
        try:
            await self._socket.send_text(text)
        except (WebSocketDisconnect, RuntimeError):
            # The socket closed in between, which the reader sees too: nobody is left to tell.
            return
