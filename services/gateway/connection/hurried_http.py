"""uvicorn's HTTP for clients that take their time: who does not finish a request is shown out."""

import asyncio
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# A request is at most a few hundred kilobytes; slower than this is nobody's network.
REQUEST_S: Final = 30.0
# So much and no more may be left unsent of an answer without anybody noticing that it is not read.
WRITE_BUFFER_BYTES: Final = 1_024
# The client still has to send something.
_UNFINISHED: Final = (h11.IDLE, h11.SEND_BODY)


class HurriedHttp(H11Protocol):
    """A connection whose client has so many seconds for a whole request, head and body.

    uvicorn itself waits for ever for the rest of a head, and for somebody to read an answer, and so
    as many connections as the process has file descriptors could be held by somebody who sends a
    byte now and then, or reads none.
    """

    request_s = REQUEST_S
    _taking: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The time runs from the first moment, also for who says nothing."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self.transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
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
        self._stop_watching()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client does not read as fast as it is answered: it has to read something at least."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """The client has read nearly all that there was."""
        super().resume_writing()
        self._stop_watching()

    def _watch(self) -> None:
        unsent = self.transport.get_write_buffer_size()
        self._taking = self.loop.call_later(self.request_s, self._look_after, unsent)

    def _look_after(self, unsent_before: int) -> None:
        if self.transport.get_write_buffer_size() < unsent_before:
            self._watch()
        else:
            self._show_out()

    def _stop_watching(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _show_out(self) -> None:
        self._deadline = None
        self.transport.abort()
