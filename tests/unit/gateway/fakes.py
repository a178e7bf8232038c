"""A gateway's parts without Kafka and PostgreSQL: acknowledges when it is told to."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any, cast

from parley.codec import LogRecord, Outgoing, decode_event
from parley.codec.record import EPOCH
from parley.conversation_state import NEW
from parley.events import Event
from parley.log.producer import Appended, Record
from parley.policies import Policies
from services.gateway.access import Access
from services.gateway.connection.parts import Parts
from services.gateway.core.room import Snapshot
from services.gateway.limits import Limits
from services.gateway.rooms.rooms import Rooms
from services.gateway.rooms.snapshots import Snapshots
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher
from services.gateway.tail.ring import Ring
from services.gateway.tail.tail import Tail
from services.gateway.talk import Talk


class FakeProducer:
    """Keeps the batches that it is sent; `acknowledges` off is no Kafka."""

    def __init__(self) -> None:
        self.batches: list[Sequence[Record]] = []
        self.acknowledges = True
        # Of batches that wait for their acknowledgement.
        self.pending: list[asyncio.Future[None]] = []

    @property
    def accepted(self) -> list[Record]:
        """All records, in order."""
        return [record for batch in self.batches for record in batch]

    async def append_batch(self, _partition: int, batch: Sequence[Record]) -> list[Appended]:
        first = len(self.accepted)
        self.batches.append(batch)
        if not self.acknowledges:
            acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.pending.append(acknowledged)
            await acknowledged
        return [Appended(first, len(batch), 1_000)]

    async def accept(self, _outgoing: Outgoing) -> Awaitable[Any]:
        """Live frames, which nobody asks for here."""
        taken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        taken.set_result(None)
        return taken

    def acknowledge(self) -> None:
        """Kafka is back: for what waits, and for what comes."""
        self.acknowledges = True
        for waiting in self.pending:
            if not waiting.done():
                waiting.set_result(None)

    def events(self) -> list[Event]:
        """What was accepted, as every consumer will read it."""
        return [decode_event(_record(one)) for one in self.accepted]


def _record(outgoing: Record) -> LogRecord:
    # Appended long ago by the broker's clock would move the event time: take the record's own.
    value = outgoing.value
    probe = LogRecord("t", 0, 0, EPOCH + timedelta(days=36_500), outgoing.key, value)
    received_at = decode_event(probe).received_at
    return LogRecord("t", 0, 0, received_at, outgoing.key, value)


def publisher(producer: FakeProducer, settings: GatewaySettings) -> Publisher:
    """A publisher onto the fake."""
    return Publisher(
        [producer],
        settings,
        Policies(settings.gap_policies()),
        "incarnation",
        "gateway",
        partition_count=1,
    )


class StillTail:
    """A log in which nothing passes."""

    partition_count = 1

    def __init__(self) -> None:
        self._ring = Ring(0, 1_000_000)

    def ring(self, _partition: int) -> Ring:
        return self._ring

    async def reach(self, _partition: int, next_offset: int, _patience_s: float) -> bool:
        return next_offset <= self._ring.next_offset


class NewSnapshots:
    """Tables without a conversation."""

    async def of(self, _tenant_id: str, partitions: dict[str, int]) -> dict[str, Snapshot]:
        return {conversation_id: Snapshot(NEW, 0) for conversation_id in partitions}


def parts(producer: FakeProducer, settings: GatewaySettings) -> Parts:
    """A gateway's parts onto the fakes."""
    writer = publisher(producer, settings)
    snapshots = cast(Snapshots, NewSnapshots())
    rooms = Rooms(settings, writer, snapshots, cast(Tail, StillTail()), "incarnation")
    talk = Talk(rooms, writer, snapshots)
    sessions = Sessions(settings, writer)
    limits, access = Limits(settings), Access(settings)
    return Parts(settings, writer, sessions, rooms, snapshots, talk, limits, access)
