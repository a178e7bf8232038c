"""Brings a client from its last position to the present: every durable frame after it, once."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

from parley.codec import InvalidRecord, LogRecord, decode_event
from parley.position import Position
from services.gateway import metrics
from services.gateway.core.outgoing import OutFrame
from services.gateway.rooms.log_range import LogUnavailable
from services.gateway.rooms.open_room import OpenRoom
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Page, Snapshots, SnapshotUnavailable

# So few frames fit into a connection's queue in one go.
AT_ONCE: Final = 100
# A replica that lags behind another one catches up, or the position is not of this log.
PATIENCE_S: Final = 5.0

Send = Callable[[OutFrame], Awaitable[None]]


class Lost(StrEnum):
    """Why a client cannot be given what it missed."""

    UNKNOWN_POSITION = "unknown_position"
    HISTORY_UNAVAILABLE = "history_unavailable"


class NotRecovered(Exception):
    """There would be a gap, so nothing is replayed."""

    def __init__(self, reason: Lost) -> None:
        super().__init__(reason)
        self.reason = reason


class Replay:
    """One client's way to the present: `catch_up` until `rest` gives the last few frames."""

    def __init__(
        self,
        rooms: Rooms,
        snapshots: Snapshots,
        room: OpenRoom,
        position: Position,
    ) -> None:
        self._rooms = rooms
        self._snapshots = snapshots
        self._room = room
        self._next_offset = position.offset + 1
        self.position = position
        self._page: Page | None = None

    @property
    def next_offset(self) -> int:
        """The client has had everything below, also where the tables are ahead of the tail."""
        return self._next_offset

    async def begin(self) -> None:
        """Make sure that everything missed can be had; raises NotRecovered."""
        is_ours = self._room.holds(self.position) and self.position.offset >= 0
        tail = self._rooms.tail
        if not is_ours or not await tail.reach(self._room.partition, self._next_offset, PATIENCE_S):
            raise NotRecovered(Lost.UNKNOWN_POSITION)
        if self._from_memory() is None:
            metrics.RESUMES.labels("history").inc()
            self._page = await self._fetch()
        else:
            metrics.RESUMES.labels("memory").inc()

    async def catch_up(self, send: Send) -> None:
        """Send what is too much for a connection's queue; raises NotRecovered midway."""
        while True:
            frames = None if self._page is not None else self._from_memory()
            if frames is None:
                await self._send_history(send)
            elif len(frames) > AT_ONCE:
                for frame in frames:
                    await send(frame)
                    self._next_offset = (frame.offset or 0) + 1
            else:
                return

    def rest(self) -> list[OutFrame]:
        """The last few frames. Join the room before anything else is awaited."""
        return self._from_memory() or []

    def _from_memory(self) -> list[OutFrame] | None:
        ring = self._rooms.tail.ring(self._room.partition)
        if not ring.covers(self._next_offset):
            return None
        return self._room.missed(list(ring.of(self._room.key, self._next_offset)))

    async def _send_history(self, send: Send) -> None:
        page, self._page = self._page or await self._fetch(), None
        before = self._next_offset
        for stored in page.events:
            frame = self._frame(stored.record, is_granted=stored.is_granted)
            if frame is not None:
                await send(frame)
            self._next_offset = stored.record.offset + 1
        if page.is_full:
            self._page = await self._fetch()
            return
        self._next_offset = max(self._next_offset, page.next_offset)
        await self._send_unstored(send)
        if self._next_offset == before and self._from_memory() is None:
            # The tables have no more, and memory cannot tell who won a transition.
            raise NotRecovered(Lost.HISTORY_UNAVAILABLE)

    async def _send_unstored(self, send: Send) -> None:
        """What lies behind the tables and before memory."""
        ring = self._rooms.tail.ring(self._room.partition)
        if ring.covers(self._next_offset):
            return
        end = ring.start_offset
        try:
            records = await self._rooms.ranges.read(
                self._room.partition, self._next_offset, end, self._room.key
            )
        except LogUnavailable as error:
            raise NotRecovered(Lost.HISTORY_UNAVAILABLE) from error
        frames = self._room.missed(records)
        if frames is None:
            raise NotRecovered(Lost.HISTORY_UNAVAILABLE)
        for frame in frames:
            await send(frame)
        self._next_offset = end

    async def _fetch(self) -> Page:
        room = self._room
        try:
            return await self._snapshots.events_from(
                room.tenant_id, room.conversation_id, room.partition, self._next_offset
            )
        except SnapshotUnavailable as error:
            raise NotRecovered(Lost.HISTORY_UNAVAILABLE) from error

    def _frame(self, record: LogRecord, *, is_granted: bool) -> OutFrame | None:
        try:
            event = decode_event(record)
        except InvalidRecord:
            return None
        return self._room.frame(record.offset, event, is_granted=is_granted)
