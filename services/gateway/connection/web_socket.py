"""uvicorn's WebSocket, shortened: texts go straight to who takes them, and answers straight out."""

import asyncio
from collections.abc import Callable
from typing import Any, Final, Protocol
from weakref import WeakKeyDictionary

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.protocol import OPEN

from services.gateway.connection.whole_frames import read_text, text_frame

# What waits in the process for one slow reader; the kernel's buffers come on top.
WRITE_BUFFER_BYTES: Final = 32 * 1024
# So long a reader has to take what was written before its connection is cut.
LAST_CHANCE_S: Final = 5.0

# Under this name the application finds the line in the scope's state.
LINE: Final = "line"


class Line(Protocol):
    """A WebSocket below ASGI, where a frame costs no queue, no task and no message."""

    # Whether the client has taken so much that there is room for more.
    is_writable: bool

    def hand_over(
        self, take: Callable[[str | bytes], None], on_writable: Callable[[], None]
    ) -> None:
        """From now on call `take` with every frame, and no longer `receive`, but for the end.

        `on_writable` is called when the client reads again.
        """

    def write(self, text: bytes) -> None:
        """Send a text when this turn of the loop is over; nothing once the connection closes."""

    def hold(self) -> None:
        """Do not read; of what was read already, frames may still come."""

    def go_on(self) -> None:
        """Read again."""

    def evict(self, code: int) -> None:
        """Close with this code behind what is unsent, and cut the connection soon after."""


class _Turn:
    """Those that have written in a turn of a loop, until it is over."""

    def __init__(self) -> None:
        self._written: list[DirectWebSocket] = []

    def add(self, one: "DirectWebSocket") -> None:
        """Let it write out when the turn is over."""
        if not self._written:
            one.loop.call_soon(self._end)
        self._written.append(one)

    def _end(self) -> None:
        written, self._written = self._written, []
        for one in written:
            one.write_out()


_TURNS: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, _Turn]] = WeakKeyDictionary()


class DirectWebSocket(WebSocketsSansIOProtocol):
    """A connection whose frames pass by ASGI, and that ends although its peer takes nothing.

    By ASGI a frame wakes a task and pauses the socket, and a close waits behind all that is
    unsent. A connection begins as any other; after `hand_over` only its end comes by ASGI.

    What is written in one turn of the loop goes out behind it, in one piece, and so do the
    others' right afterwards: the kernel sends quickest to readers that have not fallen asleep.
    """

    _take: Callable[[str | bytes], None] | None = None
    _on_writable: Callable[[], None] | None = None
    # Nothing of a frame, or of a message in fragments, waits in the library for its rest.
    _is_between_frames = False
    # What was written in this turn of the loop.
    _unsent = b""
    # As of a Line.
    is_writable = True
    # The answer to the last ping of a peer that takes nothing.
    _last_pong = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what is kept for a slow reader."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        self._turn = _TURNS.setdefault(self.loop, _Turn())

    async def run_asgi(self) -> None:
        """Run the application, which finds the line in its scope."""
        state: Any = self.scope["state"]
        state[LINE] = self
        await super().run_asgi()
        # After a close by ASGI the library waits for the peer's.
        self._cut_after(self.close_timeout + LAST_CHANCE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing waits for the client any more."""
        super().connection_lost(exc)
        self.is_writable = True

    def keepalive_timeout(self) -> None:
        """A peer that does not answer may not take its close either."""
        self.write_out()
        super().keepalive_timeout()
        self._cut_after(LAST_CHANCE_S)

    def shutdown(self) -> None:
        """The server stops, whether the peer reads or not."""
        self.write_out()
        # One that closed before, and has not taken all of it, is on its way already.
        if not self.transport.is_closing():
            super().shutdown()
        self._cut_after(LAST_CHANCE_S)

    def handle_close(self, event: Frame) -> None:
        """The peer closes, and may take nothing more."""
        super().handle_close(event)
        self._cut_after(LAST_CHANCE_S)

    def handle_parser_exception(self) -> None:
        """The peer breaks the protocol, and may take nothing more."""
        super().handle_parser_exception()
        self._cut_after(LAST_CHANCE_S)

    def handle_ping(self) -> None:
        """Answer pings; to a peer that takes nothing only the last one (RFC 6455, 5.5.3)."""
        if self.is_writable or self.conn.state is not OPEN:
            super().handle_ping()
            return
        # Several pings of one read are here together, and of the others nothing is left.
        pongs = self.conn.data_to_send()
        self._last_pong = pongs[-1] if pongs else self._last_pong

    def hand_over(
        self, take: Callable[[str | bytes], None], on_writable: Callable[[], None]
    ) -> None:
        """As of a Line."""
        read_before, self.queue = self.queue, asyncio.Queue()
        self._watch_frames()
        self._on_writable = on_writable
        self.go_on()
        while not read_before.empty():
            event: Any = read_before.get_nowait()
            if event["type"] == "websocket.receive":
                take(event.get("text", event.get("bytes")))
            else:
                self.queue.put_nowait(event)
        self._take = take

    def write(self, text: bytes) -> None:
        """As of a Line."""
        if self.conn.state is not OPEN or self.disconnected:
            return
        if not self._unsent:
            self._turn.add(self)
        self._unsent += text_frame(text)
        if len(self._unsent) > WRITE_BUFFER_BYTES:
            self.write_out()

    def hold(self) -> None:
        """As of a Line."""
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        """As of a Line."""
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    def evict(self, code: int) -> None:
        """As of a Line."""
        if self.close_sent or self.transport.is_closing():
            return
        self.write_out()
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self._cut_after(LAST_CHANCE_S)

    async def send(self, message: Any) -> None:
        """What comes by ASGI, as a close does, stands behind what was written before."""
        self.write_out()
        await super().send(message)

    def eof_received(self) -> None:
        """The peer says nothing more, and may still read."""
        self.write_out()
        # Which makes asyncio close it behind what is unsent.
        self._cut_after(LAST_CHANCE_S)

    def _cut_after(self, seconds: float) -> None:
        """What closes waits for its peer to take all that is unsent: so long and no longer."""
        if not self.disconnected:
            self.loop.call_later(seconds, self.transport.abort)

    def write_out(self) -> None:
        """Send what was written, now."""
        unsent, self._unsent = self._unsent, b""
        if unsent and not self.transport.is_closing():
            self.transport.write(unsent)

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self.is_writable = False

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self.is_writable = True
        pong, self._last_pong = self._last_pong, b""
        if pong and self.conn.state is OPEN:
            self.transport.write(pong)
        if self._on_writable is not None:
            self._on_writable()

    def data_received(self, data: bytes) -> None:
        """Take a text that came whole and alone; all else is the library's to read."""
        if self._take is not None and self._is_between_frames and not self.close_sent:
            text = read_text(data, self.config.ws_max_size)
            if text is not None:
                self._take(text)
                return
        self._is_between_frames = False
        # The library may answer by itself, and close.
        self.write_out()
        super().data_received(data)

    def _watch_frames(self) -> None:
        """Learn from the library after which frame nothing is left of what it was given."""
        receive = self.conn.recv_frame

        def receive_and_note(frame: Frame) -> None:
            receive(frame)
            is_alone = not self.conn.reader.buffer and self.conn.current_size is None
            self._is_between_frames = is_alone and self.conn.state is OPEN

        self.conn.recv_frame = receive_and_note  # type: ignore[method-assign]

    def send_receive_event_to_app(self) -> None:
        """A message is whole."""
        if self._take is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        whole = self.frames[0] if len(self.frames) == 1 else b"".join(self.frames)
        self.frames = []
        if self.curr_msg_data_type == "bytes":
            self._take(bytes(whole))
            return
        try:
            text = whole.decode()
        except UnicodeDecodeError:
            # The protocol asks for this code, unless the peer's own close came right behind.
            if self.conn.state is OPEN:
                self.conn.send_close(1007)
            self.handle_parser_exception()
        else:
            self._take(text)
