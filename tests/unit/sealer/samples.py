"""Builds events and feeds them to a sealer, second by second."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from parley.digests import Member, member_digest
from parley.events import (
    Body,
    Content,
    ConversationState,
    EndReason,
    Event,
    MessageRecorded,
    MessageRevised,
    Policy,
    RecordRejected,
    RevisionKind,
    Role,
    SealForced,
    SessionEnded,
    SessionResumed,
    SessionStarted,
    StateRequested,
    Tick,
)
from parley.seals import SegmentSealed, SessionSettled
from services.sealer.core import Decision, PartitionSealer

START = datetime(2026, 1, 1, tzinfo=UTC)
GAP = timedelta(seconds=100)
GRACE = timedelta(seconds=10)
CHAT = Policy(idle_gap=GAP, grace=GRACE)
CALL = replace(CHAT, policy_id="call", seal_on_end=True)
MILLISECOND = 0.001


def at(seconds: float) -> datetime:
    """A moment of the made-up day."""
    return START + timedelta(seconds=seconds)


def event_id(number: int) -> str:
    """A canonical event id; numbers sort as ids do."""
    return f"00000000-0000-4000-8000-{number:012d}"


def make_event(number: int, body: Body, seconds: float, **fields: Any) -> Event:
    """An event of the one conversation, unless `fields` say otherwise."""
    moment = at(seconds)
    defaults = {"tenant_id": "acme", "conversation_id": "c1", "policy": CHAT}
    return Event(event_id(number), body, moment, moment, **{**defaults, **fields})


def message(number: int, seconds: float, **fields: Any) -> Event:
    """A message said at `seconds`."""
    body = MessageRecorded(Role.USER, Content(f"said {number}"))
    return make_event(number, body, seconds, **{"sender": "ann", **fields})


def digest(*numbers: int, versions: dict[int, int] | None = None) -> bytes:
    """The digest of a segment of these messages."""
    revised = versions or {}
    return member_digest(
        Member(event_id(one), event_id(revised[one]) if one in revised else "") for one in numbers
    )


@dataclass
class Talk:
    """A partition that is fed by hand; each call returns what was decided by it."""

    sealer: PartitionSealer = field(default_factory=lambda: PartitionSealer("topic-1", 0))
    offset: int = -1
    decided: list[Decision] = field(default_factory=list)
    log: list[tuple[Event | None, datetime]] = field(default_factory=list)

    def feed(self, event: Event | None, arrives: float) -> list[Decision]:
        """A record that the broker appended at `arrives`."""
        self.offset += 1
        self.log.append((event, at(arrives)))
        decisions = self.sealer.observe(event, at(arrives), self.offset)
        self.decided.extend(decisions)
        return decisions

    def say(
        self, number: int, seconds: float, arrives: float | None = None, **fields: Any
    ) -> list[Decision]:
        """A message, which arrives when it is said unless told otherwise."""
        moment = seconds if arrives is None else arrives
        return self.feed(message(number, seconds, **fields), moment)

    def tick(self, arrives: float) -> list[Decision]:
        """Time passes, and the sealer's owner says so."""
        body = Tick(at(arrives))
        return self.feed(Event(event_id(999_000 + self.offset), body, at(0), at(0)), arrives)

    def revise(self, number: int, target: int, seconds: float, arrives: float) -> list[Decision]:
        """What was really said."""
        body = MessageRevised(event_id(target), RevisionKind.CORRECTED, Content("otherwise"))
        return self.feed(make_event(number, body, seconds), arrives)

    def reject(self, target: int, offset: int, arrives: float) -> list[Decision]:
        """A table refused a record."""
        body = RecordRejected(offset, event_id(target), "refused")
        return self.feed(Event(event_id(998_000 + self.offset), body, at(0), at(0)), arrives)

    def force(self, number: int, arrives: float) -> list[Decision]:
        """An operator seals the conversation."""
        return self.feed(make_event(number, SealForced("r", "bob"), arrives), arrives)

    def end_state(self, number: int, arrives: float) -> list[Decision]:
        """The state machine goes to ENDED."""
        body = StateRequested(ConversationState.LISTENING, ConversationState.ENDED)
        return self.feed(make_event(number, body, arrives), arrives)

    def start(
        self, session_id: str, arrives: float, generation: int = 1, **fields: Any
    ) -> list[Decision]:
        """A session starts, or with a later generation goes on."""
        body = SessionStarted() if generation == 1 else SessionResumed(generation)
        return self._session(body, session_id, arrives, fields)

    def end(
        self, session_id: str, arrives: float, generation: int = 1, **fields: Any
    ) -> list[Decision]:
        """A session ends."""
        body = SessionEnded(generation, EndReason.EXPLICIT)
        return self._session(body, session_id, arrives, fields)

    def _session(
        self, body: Body, session_id: str, arrives: float, fields: dict[str, Any]
    ) -> list[Decision]:
        seconds = fields.pop("seconds", arrives)
        number = 500_000 + self.offset
        event = make_event(number, body, seconds, session_id=session_id, **fields)
        return self.feed(event, arrives)

    @property
    def seals(self) -> list[SegmentSealed]:
        """All seals so far."""
        return [one for one in self.decided if isinstance(one, SegmentSealed)]

    @property
    def settled(self) -> list[SessionSettled]:
        """All sessions that settled so far."""
        return [one for one in self.decided if isinstance(one, SessionSettled)]


def only(decisions: list[Decision]) -> SegmentSealed:
    """The one seal that was decided."""
    [seal] = decisions
    assert isinstance(seal, SegmentSealed)
    return seal
