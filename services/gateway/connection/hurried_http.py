"""uvicorn's HTTP for clients that take their time: who does not finish a request is shown out."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# A request is at most a few hundred kilobytes; slower than this is nobody's network.
REQUEST_S: Final = 30.0
# The client still has to send something.
_UNFINISHED: Final = (h11.IDLE, h11.SEND_BODY)


class HurriedHttp(H11Protocol):
    """A connection whose client has so many seconds for a whole request, head and body.

    uvicorn itself waits for ever for the rest of a head, and so as many connections as the
    process has file descriptors could be held by somebody who sends a byte now and then.
    """

    request_s = REQUEST_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The time runs from the first moment, also for who says nothing."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._deadline = self.loop.call_later(self.request_s, self._show_out)

    def data_received(self, data: bytes) -> None:
        """Give the next request its time, not this one more."""
        was_between_requests = self._deadline is None
        super().data_received(data)
        if self.conn.their_state not in _UNFINISHED or self.transport.get_protocol() is not self:
            self._forget_deadline()
        elif was_between_requests:
            self._deadline = self.loop.call_later(self.request_s, self._show_out)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._forget_deadline()
        super().connection_lost(exc)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _show_out(self) -> None:
        self._deadline = None
        self.transport.abort()
