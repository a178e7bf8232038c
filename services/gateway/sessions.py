"""Writes the starts and ends of sessions, and ends those whose client does not come back."""

import asyncio
from typing import Final

import structlog

from parley import clock
from parley.events import (
    Body,
    EndReason,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
)
from parley.ids import random_id
from services.gateway import metrics
from services.gateway.core.events import Said, Source
from services.gateway.core.frames import NO_CLOCKS, Clocks, Hello
from services.gateway.core.refusals import Refused
from services.gateway.core.sessions import Departure, SessionBook
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher, Recorded

log = structlog.get_logger(__name__)

# How late an open session may be refreshed.
LONGEST_WAIT_S: Final = 30.0
# At most so many at once, so that a thousand sessions do not fill the producer.
AT_ONCE: Final = 100


class Sessions:
    """The sessions of this gateway's connections.

    A crash forgets who was waited for: the sealer settles those sessions by their silence.
    """

    def __init__(self, settings: GatewaySettings, publisher: Publisher) -> None:
        self._publisher = publisher
        self._refresh_every = settings.gateway_session_refresh
        self._book = SessionBook(
            settings.gateway_reconnect_grace, settings.gateway_max_waiting_sessions
        )
        self._changed = asyncio.Event()
        self.started_count = 0

    @property
    def present_count(self) -> int:
        """Sessions with a connection here."""
        return self._book.present_count

    async def start(self, source: Source, body: SessionStarted) -> Recorded:
        """Begin a session; raises Refused."""
        recorded = await self._publisher.record(source, Said(random_id(), body))
        self.started_count += 1
        metrics.SESSIONS_STARTED.inc()
        return recorded

    async def resume(self, source: Source, body: SessionResumed) -> Recorded:
        """Go on with a session over another connection; raises Refused."""
        recorded = await self._publisher.record(source, Said(random_id(), body))
        metrics.SESSIONS_RESUMED.inc()
        return recorded

    def next_generation(self, source: Source, hello: Hello) -> int:
        """The generation of a session that its client comes back to."""
        return self._book.next_generation(source, hello.generation or 0)

    def connect(self, source: Source, generation: int) -> None:
        """A connection of the session is open."""
        self._book.connect(source, generation, clock.monotonic())

    async def end(self, source: Source, generation: int, clocks: Clocks = NO_CLOCKS) -> Recorded:
        """End a session because its client said so; raises Refused, and then it goes on."""
        body = SessionEnded(generation, EndReason.EXPLICIT, source.connection_id)
        recorded = await self._write_end(source, body, clocks)
        self._book.end(source, generation)
        return recorded

    async def depart(self, source: Source) -> None:
        """A connection went away without an end: its session waits, and then is over."""
        over = self._book.depart(source, clock.now(), clock.monotonic())
        self._changed.set()
        await self._end_all(over)

    async def run(self, stop: asyncio.Event) -> None:
        """End what waited long enough, until `stop`; what still waits then the sealer settles."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._sleep(stopping)
                await self._end_all(self._book.take_due(clock.monotonic()))
                await self._refresh(self._book.take_stale(clock.monotonic(), self._refresh_every))
        finally:
            stopping.cancel()

    async def _sleep(self, stopping: asyncio.Task[bool]) -> None:
        self._changed.clear()
        changed = asyncio.create_task(self._changed.wait())
        due_s = self._book.next_due_s()
        longest_s = min(LONGEST_WAIT_S, self._refresh_every.total_seconds())
        wait_s = longest_s if due_s is None else max(0.0, due_s - clock.monotonic())
        await asyncio.wait(
            {stopping, changed}, timeout=min(wait_s, longest_s), return_when=asyncio.FIRST_COMPLETED
        )
        changed.cancel()

    async def _refresh(self, open_ones: list[tuple[Source, int]]) -> None:
        """Say of sessions that they are still open: without a word for long they count as over."""
        for first in range(0, len(open_ones), AT_ONCE):
            some = open_ones[first : first + AT_ONCE]
            await asyncio.gather(*(self._refresh_one(*one) for one in some))

    async def _refresh_one(self, source: Source, generation: int) -> None:
        body = SessionRefreshed(generation, source.connection_id)
        try:
            await self._publisher.record(source, _said(body, NO_CLOCKS))
        except Refused as refused:
            log.warning("session_not_refreshed", session=source.session_id, reason=refused.code)

    async def _end_all(self, departures: list[Departure]) -> None:
        await asyncio.gather(*(self._end_departed(one) for one in departures))

    async def _end_departed(self, departure: Departure) -> None:
        source = departure.source
        body = SessionEnded(departure.generation, EndReason.DISCONNECTED, source.connection_id)
        # It happened when the client went away, not when the wait for it was over.
        clocks = Clocks(occurred_at=departure.departed_at)
        try:
            await self._write_end(source, body, clocks)
        except Refused as refused:
            # The sealer will settle it by its silence.
            log.warning("session_end_not_written", session=source.session_id, reason=refused.code)

    async def _write_end(self, source: Source, body: SessionEnded, clocks: Clocks) -> Recorded:
        recorded = await self._publisher.record(source, _said(body, clocks))
        metrics.SESSIONS_ENDED.labels(body.reason).inc()
        return recorded


def _said(body: Body, clocks: Clocks) -> Said:
    return Said(random_id(), body, clocks)
