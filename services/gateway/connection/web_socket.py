"""uvicorn's WebSocket with a way out for readers that do not read."""

import asyncio
from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

# What waits in the process for one slow reader; the kernel's buffers come on top.
WRITE_BUFFER_BYTES: Final = 32 * 1024
# So long a reader has to take what was written before its connection is cut.
LAST_CHANCE_S: Final = 5.0

# Under this name the application finds `evict` in the scope's state.
EVICT: Final = "evict"


class EvictableWebSocket(WebSocketsSansIOProtocol):
    """A connection that can be ended although its peer takes nothing.

    An ASGI application can only send a close, which waits behind everything unsent.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound what is kept for a slow reader."""
        super().connection_made(transport)
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    async def run_asgi(self) -> None:
        """Run the application, which may evict."""
        state: Any = self.scope["state"]
        state[EVICT] = self.evict
        await super().run_asgi()

    def evict(self, code: int) -> None:
        """Close with this code behind what is unsent, and cut the connection soon after."""
        if self.close_sent or self.transport.is_closing():
            return
        self.stop_keepalive()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code})
        self.conn.send_close(code)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self.loop.call_later(LAST_CHANCE_S, self.transport.abort)
