"""All conversations that are open at this gateway, fed by its tail of the log."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

import structlog

from parley import clock
from parley.codec import InvalidRecord, LogRecord, decode_live, event_key
from parley.conversation_state import ConversationStatus
from parley.events import ConversationState
from parley.live import LiveFrame, Presence
from parley.topics import partition_of
from services.gateway import metrics
from services.gateway.core.outgoing import OutFrame, frame_text
from services.gateway.core.room import REMEMBERED_EVENTS, Known, Snapshot
from services.gateway.rooms.log_range import LogRanges, LogUnavailable, scan_of
from services.gateway.rooms.open_room import Listener, OpenRoom, rejection_in
from services.gateway.rooms.presence import Heartbeats
from services.gateway.rooms.snapshots import Snapshots, SnapshotUnavailable
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher
from services.gateway.tail.tail import Tail

log = structlog.get_logger(__name__)

# Between two tries to learn a conversation's state.
RETRY_S: Final = 1.0
# Longer than PostgreSQL takes; without it a client is let in, and told the state later.
LOAD_PATIENCE_S: Final = 2.0


class Rooms:
    """Opens a room for whoever takes part, and keeps the ones that were left last for a while."""

    def __init__(
        self,
        settings: GatewaySettings,
        publisher: Publisher,
        snapshots: Snapshots,
        tail: Tail,
        incarnation: str,
    ) -> None:
        self._settings = settings
        self._publisher = publisher
        self._snapshots = snapshots
        self._incarnation = incarnation
        self._rooms: dict[bytes, OpenRoom] = {}
        self._left: OrderedDict[bytes, OpenRoom] = OrderedDict()
        self._heartbeats = Heartbeats()
        self.tail = tail
        self.ranges = LogRanges(scan_of(settings))

    async def follow(self, stop: asyncio.Event) -> None:
        """Take what passes in the log, until `stop`."""
        await self.tail.run(stop, self.take, self.take_live)

    async def run(self, stop: asyncio.Event) -> None:
        """Say that this gateway is there, notice those that are gone, and try states again."""
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            await asyncio.wait({stopping}, timeout=RETRY_S)
            self._beat()
            await self._learn_unknown_states()

    # --- the log ------------------------------------------------------------------------------

    def take(self, record: LogRecord, known: Known | None = None) -> None:
        """A record of the events topic has passed; `known` as of a room."""
        if record.key is None:
            self._take_rejection(record)
            return
        room = self._rooms.get(record.key)
        if room is None:
            return
        try:
            room.take(record, known)
        except Exception as error:  # noqa: BLE001 - one record must not stop every gateway
            metrics.TAIL_ERRORS.inc()
            place = {"partition": record.partition, "offset": record.offset}
            # Without its text, which may quote what was said.
            log.error("record_not_shown", error=type(error).__name__, **place)  # noqa: TRY400

    def _take_rejection(self, record: LogRecord) -> None:
        """Drop the record that a table refused although it was valid; others do not concern us.

        The tables hold the conversation without it by now, so its state is asked for anew.
        """
        body = rejection_in(record)
        if body is None:
            return
        rejected = self.tail.ring(record.partition).reject(body.rejected_offset)
        for room in self._rooms.values():
            # Where memory has lost it, any of the partition's conversations may be meant.
            if room.partition == record.partition and (
                rejected is None or rejected.key == room.key
            ):
                room.room.forget(body.rejected_event_id)
        metrics.REJECTED.inc()

    def take_live(self, record: LogRecord) -> None:
        """A record of the live topic has passed."""
        try:
            frame = decode_live(record.value)
        except InvalidRecord:
            metrics.LIVE_INVALID.inc()
            return
        if not frame.conversation_id:
            self._heartbeats.hear(frame.gateway_id, clock.monotonic())
            return
        room = self._rooms.get(record.key or b"")
        if room is None:
            return
        if isinstance(frame.body, Presence):
            self._note_presence(room, frame, frame.body)
        else:
            room.take_live(frame)

    # --- opening ------------------------------------------------------------------------------

    @asynccontextmanager
    async def opened(self, tenant_id: str, conversation_id: str) -> AsyncIterator[OpenRoom]:
        """The conversation's room, with its state where that can be known now."""
        room = self._open(tenant_id, conversation_id)
        try:
            await self.learn(room)
            yield room
        finally:
            self._close(room)

    @asynccontextmanager
    async def opened_all(
        self, tenant_id: str, conversation_ids: Collection[str]
    ) -> AsyncIterator[dict[str, OpenRoom]]:
        """Many conversations' rooms by id; their states are asked for at once."""
        rooms = {one: self._open(tenant_id, one) for one in conversation_ids}
        try:
            await self._learn_all(tenant_id, list(rooms.values()))
            yield rooms
        finally:
            for room in rooms.values():
                self._close(room)

    async def learn(self, room: OpenRoom) -> bool:
        """Whether the room knows its state, after asking the tables where it does not."""
        if room.room.status is None and room.loading is None:
            if clock.monotonic() - room.failed_at_s < RETRY_S:
                return False
            room.loading = asyncio.create_task(self._load(room))
        if room.loading is not None:
            loading = room.loading
            await asyncio.wait({loading}, timeout=LOAD_PATIENCE_S)
            if loading.done():
                # What is not known to pass by itself is a fault, and not to be hidden.
                loading.result()
        return room.room.status is not None

    def end_offset(self, room: OpenRoom) -> int:
        """The offset behind everything that the room's state, and its listeners, have had."""
        return max(self.tail.ring(room.partition).next_offset, room.room.next_offset)

    def join(self, room: OpenRoom, listener: Listener, after: int) -> None:
        """Tell the listener what follows, and everybody that somebody came."""
        newest = list(self.tail.ring(room.partition).of(room.key, 0))[-REMEMBERED_EVENTS:]
        room.join(listener, after, newest)
        self._announce(room)

    def leave(self, room: OpenRoom, listener: Listener) -> None:
        """The listener is gone."""
        room.leave(listener)
        self._announce(room)

    def open_connections(self, room: OpenRoom) -> int:
        """Connections of the conversation, on all gateways as far as they are heard of."""
        return room.listener_count + room.room.open_elsewhere()

    def _open(self, tenant_id: str, conversation_id: str) -> OpenRoom:
        key = event_key(tenant_id, conversation_id)
        room = self._rooms.get(key)
        if room is None:
            partition = partition_of(key, self.tail.partition_count)
            room = OpenRoom(tenant_id, conversation_id, self._incarnation, partition)
            self._rooms[key] = room
        self._left.pop(key, None)
        room.users += 1
        metrics.ROOMS.set(len(self._rooms))
        return room

    def _close(self, room: OpenRoom) -> None:
        room.users -= 1
        if room.users > 0:
            return
        # A client that comes back soon finds what it missed in memory.
        self._left[room.key] = room
        while len(self._left) > self._settings.gateway_max_left_rooms:
            key, _ = self._left.popitem(last=False)
            del self._rooms[key]
        metrics.ROOMS.set(len(self._rooms))

    # --- states -------------------------------------------------------------------------------

    async def _load(self, room: OpenRoom) -> None:
        try:
            partitions: Mapping[str, int] = {room.conversation_id: room.partition}
            found = await self._snapshots.of(room.tenant_id, partitions)
            await self._begin(room, found[room.conversation_id])
        except (SnapshotUnavailable, LogUnavailable) as error:
            room.failed_at_s = clock.monotonic()
            log.warning("state_unknown", error=type(error).__name__, reason=str(error))
        finally:
            room.loading = None

    async def _learn_all(self, tenant_id: str, rooms: list[OpenRoom]) -> None:
        unknown = {
            one.conversation_id: one
            for one in rooms
            if one.room.status is None and one.loading is None
        }
        if not unknown:
            return
        partitions = {name: room.partition for name, room in unknown.items()}
        try:
            async with asyncio.timeout(LOAD_PATIENCE_S):
                found = await self._snapshots.of(tenant_id, partitions)
                begun = (self._begin(room, found[name]) for name, room in unknown.items())
                await asyncio.gather(*begun)
        except (SnapshotUnavailable, LogUnavailable, TimeoutError) as error:
            log.warning("states_unknown", count=len(unknown), error=type(error).__name__)

    async def _begin(self, room: OpenRoom, snapshot: Snapshot) -> None:
        ring = self.tail.ring(room.partition)
        first = snapshot.next_offset
        # A state ahead of the tail would swallow transitions that listeners have yet to be told.
        if not await self.tail.reach(room.partition, first, LOAD_PATIENCE_S):
            raise SnapshotUnavailable("the tail is behind the tables")
        between: list[LogRecord] = []
        # While a stretch is read the ring goes on, and may lose some more at its other end.
        while not ring.covers(first):
            end = ring.start_offset
            between += await self.ranges.read(room.partition, first, end, room.key)
            first = end
        if room.room.status is not None:
            return
        room.begin(snapshot, [*between, *ring.of(room.key, first)])
        if room.listener_count and room.room.status is not None:
            room.tell_all(_state_known(room.room.status))

    async def _learn_unknown_states(self) -> None:
        unknown = [
            one for one in self._rooms.values() if one.listener_count and one.room.status is None
        ]
        # Who failed last waits behind the others.
        for room in sorted(unknown, key=lambda one: one.failed_at_s):
            if not await self.learn(room):
                return

    # --- presence -----------------------------------------------------------------------------

    def _announce(self, room: OpenRoom) -> None:
        presence = Presence(room.listener_count)
        self._publisher.publish_live(room.tenant_id, room.conversation_id, presence)
        room.tell_all(self._presence_frame(room))

    def _note_presence(self, room: OpenRoom, frame: LiveFrame, presence: Presence) -> None:
        if frame.gateway_id == self._publisher.gateway_id:
            return
        self._heartbeats.hear(frame.gateway_id, clock.monotonic())
        # Who opens a conversation does not know yet who else has it open.
        is_news = room.room.note_presence(frame.gateway_id, presence.open_connections)
        if is_news and room.listener_count:
            own = Presence(room.listener_count)
            self._publisher.publish_live(room.tenant_id, room.conversation_id, own)
        room.tell_all(self._presence_frame(room))

    def _beat(self) -> None:
        if self._heartbeats.is_due(clock.monotonic()):
            self._publisher.publish_live("", "", Presence(len(self._rooms)))
        for gateway_id in self._heartbeats.take_silent(clock.monotonic()):
            for room in self._rooms.values():
                if room.room.forget_gateway(gateway_id):
                    room.tell_all(self._presence_frame(room))

    def _presence_frame(self, room: OpenRoom) -> OutFrame:
        payload = {"status": "presence", "open_connections": self.open_connections(room)}
        text = frame_text("connection_status", payload, clock.now())
        return OutFrame("connection_status", text, is_passing=True)


def _state_known(status: ConversationStatus) -> OutFrame:
    """What listeners are told who came while nobody could say what the state is."""
    state: ConversationState = status.state
    text = frame_text("state_update", {"state": state, "cause": "state_known"}, clock.now())
    return OutFrame("state_update", text)
