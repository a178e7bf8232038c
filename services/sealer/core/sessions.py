"""Explicit sessions: who is open, what an event of one changes, when nobody will end it.

Decided here, where the rule leaves it open:
- A message makes its session news; any other event does so only with a later generation or a
  later event time than all before, so a repeated one keeps nothing open.
- A session is imported when the first event seen of it was. Imported and live sessions do not
  count for each other when the last open one ends.
- An end of a session that was never seen counts as the end of an open one.
- A session that settled and is heard of again, by news of its own generation, goes on: it settles
  again, later. That lifts no cut, as a later generation does. Its explicit end counts as the end
  of an open one, whether or not anything came in between.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final

from parley.events import (
    EndReason,
    Event,
    SessionEnded,
    SessionRefreshed,
    SessionResumed,
    SessionStarted,
)
from parley.seals import SessionSettled
from services.sealer.core.deadlines import Kind, QueueKey
from services.sealer.core.records import ConversationKey, SessionRecord
from services.sealer.core.window import Decided

# Twice the gateways' refresh: one lost refresh settles nobody.
SETTLES_AFTER: Final = timedelta(minutes=30)


class Turn(Enum):
    """What an event did to a session."""

    NONE = auto()
    REOPENED = auto()
    ENDED = auto()


@dataclass(slots=True, eq=False)
class Session:
    """A session in memory; generation 0 is a stub that no start was seen of."""

    key: ConversationKey
    session_id: str
    is_imported: bool
    last_event_time: datetime
    last_arrival: datetime
    generation: int = 0
    is_open: bool = True
    # Its silence was once taken for its end, in this generation.
    has_settled: bool = False
    queued: datetime | None = None

    def queue_key(self) -> QueueKey:
        """Its place among others of the same deadline."""
        return (*self.key, Kind.SESSION, self.session_id)

    def deadline(self) -> datetime | None:
        """The watermark at which it counts as ended; None when it has ended."""
        return self.settles_at() if self.is_open else None

    def settles_at(self) -> datetime:
        """The same of one that is open."""
        return self.last_arrival + SETTLES_AFTER

    def hear(self, event_time: datetime, watermark: datetime) -> None:
        """A message of this session came that is no repeat."""
        self.last_event_time = max(self.last_event_time, event_time)
        self._is_heard(watermark)

    def observe(self, event: Event, watermark: datetime) -> Turn:
        """Fold any other event of this session in."""
        known = (self.generation, self.last_event_time)
        turn = self._turn(event)
        self.last_event_time = max(self.last_event_time, event.event_time)
        if known != (self.generation, self.last_event_time):
            self._is_heard(watermark)
        return turn

    def _is_heard(self, watermark: datetime) -> None:
        self.last_arrival = watermark
        self.is_open |= self.has_settled

    def _turn(self, event: Event) -> Turn:
        body = event.body
        if isinstance(body, SessionEnded):
            return self._end(body.generation)
        if isinstance(body, SessionStarted | SessionResumed | SessionRefreshed):
            return self._go_on(body.generation)
        return Turn.NONE

    def _end(self, generation: int) -> Turn:
        if generation < self.generation:
            return Turn.NONE
        # An explicit end outranks the one that silence was taken for.
        was_open = self.is_open or self.has_settled
        self.is_open = self.has_settled = False
        self.generation = generation
        return Turn.ENDED if was_open else Turn.NONE

    def _go_on(self, generation: int) -> Turn:
        if generation <= self.generation:
            return Turn.NONE
        has_ended = self.has_settled or not self.is_open
        self.is_open, self.has_settled = True, False
        self.generation = generation
        return Turn.REOPENED if has_ended else Turn.NONE

    def settle(self, decided: Decided) -> SessionSettled:
        """Count it as ended at its last event's time."""
        self.is_open, self.has_settled = False, True
        tenant_id, conversation_id = self.key
        return SessionSettled(
            tenant_id=tenant_id,
            conversation_id=conversation_id,
            session_id=self.session_id,
            generation=self.generation,
            reason=EndReason.IDLE,
            ended_at=self.last_event_time,
            incarnation=decided.incarnation,
            partition=decided.partition,
            decided_offset=decided.offset,
            watermark=decided.watermark,
        )

    def record(self) -> SessionRecord:
        """The row to save."""
        return SessionRecord(
            key=self.key,
            session_id=self.session_id,
            generation=self.generation,
            is_open=self.is_open,
            has_settled=self.has_settled,
            is_imported=self.is_imported,
            last_event_time=self.last_event_time,
            last_arrival=self.last_arrival,
        )

    @classmethod
    def recalled(cls, record: SessionRecord) -> "Session":
        """A session from its row."""
        return cls(
            key=record.key,
            session_id=record.session_id,
            is_imported=record.is_imported,
            last_event_time=record.last_event_time,
            last_arrival=record.last_arrival,
            generation=record.generation,
            is_open=record.is_open,
            has_settled=record.has_settled,
        )
