"""One conversation that is open here: its listeners, and what passes on its way to them."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from parley.codec import (
    InvalidRecord,
    LogRecord,
    decode_event,
    event_key,
    glance_at,
)
from parley.events import Event, RecordRejected, StateRequested
from parley.live import LiveFrame
from parley.position import Position
from services.gateway import metrics
from services.gateway.core.frames import Deliver
from services.gateway.core.outgoing import Origin, OutFrame, durable_frame, live_frame
from services.gateway.core.room import Decision, Known, Room, Snapshot

_REQUEST: Final = "state_requested"


class Listener(Protocol):
    """A connection, as the room sees it. Durable frames up to `after` it has had already."""

    deliver: Deliver
    origin: Origin
    after: int

    def push(self, frame: OutFrame) -> None:
        """Send it soon."""


class OpenRoom:
    """A conversation with those who listen here. `users` counts who keeps it open."""

    def __init__(
        self, tenant_id: str, conversation_id: str, incarnation: str, partition: int
    ) -> None:
        self.tenant_id = tenant_id
        self.conversation_id = conversation_id
        self.partition = partition
        self.key = event_key(tenant_id, conversation_id)
        self.room = Room()
        self.users = 0
        # Who asks for a transition here waits for the one before: its own may build upon it.
        self.asking = asyncio.Lock()
        self.loading: asyncio.Task[None] | None = None
        self.failed_at_s = float("-inf")
        self._incarnation = incarnation
        self._listeners: set[Listener] = set()
        # Those who want frames at all: it is asked with every record.
        self._watcher_count = 0
        self._waiting: dict[str, list[asyncio.Future[Decision]]] = {}

    @property
    def listener_count(self) -> int:
        """Connections of this gateway."""
        return len(self._listeners)

    def position(self, offset: int) -> Position:
        """A place in the conversation's partition."""
        return Position(self._incarnation, self.partition, offset)

    def holds(self, position: Position) -> bool:
        """Whether a position can be one of this conversation's."""
        return (position.incarnation, position.partition) == (self._incarnation, self.partition)

    def join(self, listener: Listener, after: int, newest: Sequence[LogRecord]) -> None:
        """From now on the listener is told what lies after this offset.

        `newest` are the last records in memory: of them copies may still come.
        """
        if not self._watcher_count:
            for record in newest:
                self._glance(record)
        listener.after = after
        self._listeners.add(listener)
        self._count_watchers()

    def leave(self, listener: Listener) -> None:
        """The listener is told nothing more."""
        self._listeners.discard(listener)
        self._count_watchers()

    def begin(self, snapshot: Snapshot, since: list[LogRecord]) -> None:
        """The state is known: the snapshot, and what the log has had since."""
        events = ((one.offset, event) for one in since if (event := _decoded(one)) is not None)
        self.room.begin(snapshot, events)

    def take(self, record: LogRecord, known: Known | None = None) -> None:
        """The conversation's next record has passed in the log; `known` is what is known of it."""
        wants_frames = self._watcher_count > 0
        # Reading an event costs more than a glance at it.
        if not wants_frames and not self._glance(record, known):
            return
        event = _decoded(record)
        if event is None:
            return
        decision = self.room.judge(record.offset, event)
        self._tell_who_asked(event, decision)
        if wants_frames and self.room.is_new(record.offset, event):
            is_granted = decision is not None and decision.is_granted
            self._pass_on(self.frame(record.offset, event, is_granted=is_granted))

    def _glance(self, record: LogRecord, known: Known | None = None) -> bool:
        """Note that the event passed, and whose it is; returns whether it must be read."""
        seen = known or glance_at(record.value)
        if seen is None:
            return False
        if seen.kind == _REQUEST:
            return True
        self.room.recall(record.offset, seen.event_id)
        if seen.user_id:
            self.room.note_user(seen.user_id)
        return False

    def take_live(self, frame: LiveFrame) -> None:
        """A live frame of the conversation has passed."""
        if self._listeners and self.room.is_worth_seeing(frame):
            self._pass_on(live_frame(frame))

    def frame(self, offset: int, event: Event, *, is_granted: bool) -> OutFrame | None:
        """The frame of an event at this offset."""
        return durable_frame(event, self.position(offset), is_granted=is_granted)

    def missed(self, records: list[LogRecord]) -> list[OutFrame] | None:
        """The frames of records that are in memory; None where a decision is not known."""
        frames = []
        passed: set[str] = set()
        for record in records:
            event = _decoded(record)
            if event is None or event.event_id in passed or self._is_copy(record, event):
                continue
            passed.add(event.event_id)
            is_granted = self._was_granted(record, event)
            if is_granted is None:
                return None
            frame = self.frame(record.offset, event, is_granted=is_granted)
            if frame is not None:
                frames.append(frame)
        return frames

    @contextmanager
    def deciding(self, event_id: str) -> Iterator[asyncio.Future[Decision]]:
        """What the log will decide about a request that is on its way."""
        asked = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(event_id, []).append(asked)
        try:
            yield asked
        finally:
            others = self._waiting.get(event_id, [])
            if asked in others:
                others.remove(asked)
            if not others:
                self._waiting.pop(event_id, None)

    def tell_all(self, frame: OutFrame) -> None:
        """Send something to every listener who wants frames at all."""
        self._pass_on(frame)

    def _count_watchers(self) -> None:
        wanting = (one for one in self._listeners if one.deliver is not Deliver.NONE)
        self._watcher_count = sum(1 for _ in wanting)

    def _is_copy(self, record: LogRecord, event: Event) -> bool:
        # Only of an earlier one: a room that was opened between a message and its copy knows the
        # copy alone, and who missed both is to be given the first, as everybody else was.
        first = self.room.seen_at(event.event_id)
        return first is not None and first < record.offset

    def _was_granted(self, record: LogRecord, event: Event) -> bool | None:
        """Whether this record won its transition, False for other events; None: not known here."""
        if not isinstance(event.body, StateRequested) or event.import_id is not None:
            return False
        decision = self.room.decision(event.event_id)
        if decision is None or decision.offset > record.offset:
            return None
        return decision.is_granted and decision.offset == record.offset

    def _tell_who_asked(self, event: Event, decision: Decision | None) -> None:
        for asked in self._waiting.pop(event.event_id, ()):
            if decision is not None and not asked.done():
                # A copy is told what was decided about the first.
                asked.set_result(self.room.decision(event.event_id) or decision)

    def _pass_on(self, frame: OutFrame | None) -> None:
        if frame is None:
            return
        sent = 0
        for listener in tuple(self._listeners):
            if _wants(listener, frame):
                listener.push(frame)
                sent += 1
        metrics.FRAMES_OUT.labels(frame.type).inc(sent)


def _wants(listener: Listener, frame: OutFrame) -> bool:
    if listener.deliver is Deliver.NONE:
        return False
    if frame.offset is not None:
        if frame.offset <= listener.after:
            return False
        listener.after = frame.offset
    return listener.deliver is Deliver.ALL or frame.origin != listener.origin


def _decoded(record: LogRecord) -> Event | None:
    try:
        return decode_event(record)
    except InvalidRecord:
        # The persister makes a dead letter of it; here it is as if it were not there.
        return None


def rejection_in(record: LogRecord) -> RecordRejected | None:
    """What a record of a whole partition says that a table has refused; None for all others."""
    event = _decoded(record)
    return event.body if event and isinstance(event.body, RecordRejected) else None
