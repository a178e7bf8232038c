"""What memory wants back of what the tables hold, and how it takes it in."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from parley.events import (
    Event,
    MessageRevised,
    RecordRejected,
    Said,
    SealForced,
    SessionEnded,
    StateRequested,
)
from services.sealer.core.conversation import Conversation
from services.sealer.core.facts import Fact, as_fact
from services.sealer.core.records import (
    ConversationKey,
    Entry,
    History,
    Rejected,
    StoredSegment,
    Wanted,
    WantedMessage,
    Wants,
)
from services.sealer.core.rows import to_window
from services.sealer.core.sessions import Session
from services.sealer.core.state import PartitionState


@dataclass(slots=True)
class _Wish:
    messages: list[WantedMessage] = field(default_factory=list)
    ranges: list[tuple[datetime, datetime]] = field(default_factory=list)
    other_ids: list[str] = field(default_factory=list)
    targets: list[str] = field(default_factory=list)
    session_ids: dict[str, None] = field(default_factory=dict)

    def add(self, fact: Fact) -> None:
        if isinstance(fact, Said):
            latest = fact.event_time + fact.policy.idle_gap
            self.messages.append(WantedMessage(fact.event_id, fact.event_time, latest))
        else:
            self._add_event(fact)
        if fact.session_id:
            self.session_ids[fact.session_id] = None

    def _add_event(self, event: Event) -> None:
        time, body = event.event_time, event.body
        if isinstance(body, MessageRevised | SealForced | StateRequested):
            self.other_ids.append(event.event_id)
        if isinstance(body, MessageRevised):
            self.targets.append(body.target_event_id)
        if isinstance(body, SessionEnded) and event.import_id is not None:
            self.ranges.append((time, time))

    def wanted(self, key: ConversationKey) -> Wanted:
        return Wanted(
            key,
            tuple(self.messages),
            tuple(self.ranges),
            tuple(self.other_ids),
            tuple(self.targets),
            tuple(self.session_ids),
        )


def wants(state: PartitionState, facts: Iterable[Fact]) -> Wants:
    """What must be recalled before these are observed."""
    wishes: dict[ConversationKey, _Wish] = {}
    refused: list[Rejected] = []
    for fact in facts:
        if fact.conversation_id:
            key = (fact.tenant_id, fact.conversation_id)
            known = state.conversations.get(key)
            if known is None or not known.is_whole:
                if key not in wishes:
                    wishes[key] = _Wish()
                wishes[key].add(as_fact(fact) if type(fact) is Event else fact)
        else:
            refused.extend(rejected((fact,)))
    for key, wish in wishes.items():
        wish.ranges.extend(_liftable_ranges(state.conversations.get(key)))
    return Wants(tuple(wish.wanted(key) for key, wish in wishes.items()), tuple(refused))


def rejected(facts: Iterable[Fact]) -> list[Rejected]:
    """The records that tables refused, by these facts."""
    bodies = (fact.body for fact in facts if type(fact) is Event)
    return [
        Rejected(body.rejected_event_id, body.rejected_offset)
        for body in bodies
        if isinstance(body, RecordRejected)
    ]


def _liftable_ranges(conversation: Conversation | None) -> Iterable[tuple[datetime, datetime]]:
    """Where an end that may be lifted would let a segment reach on."""
    for window in conversation.windows if conversation is not None else ():
        if window.end is not None:
            yield window.last[0], window.reach


def recall(state: PartitionState, history: History) -> None:
    """Take in what the tables hold of a conversation; what memory knows is newer."""
    conversation = state.conversations.get(history.key)
    if conversation is None:
        conversation = Conversation(history.key, is_whole=history.is_whole)
        state.conversations[history.key] = conversation
    state.touched[history.key] = None
    for cut in history.cuts:
        conversation.place_cut(cut)
    for stored in history.segments:
        _recall_segment(conversation, stored)
    for record in history.sessions:
        if record.session_id not in conversation.sessions:
            state.recall_session(conversation, Session.recalled(record))
    for entry in history.early:
        _recall_early(conversation, entry)
    for event_id in history.known_ids:
        conversation.know_stray(event_id)


def _recall_segment(conversation: Conversation, stored: StoredSegment) -> None:
    record = stored.record
    window = conversation.by_id.get(record.segment_id)
    if window is None and not record.is_open and not record.current_revision:
        conversation.retired.setdefault(record.segment_id, record.revision)
        return
    if window is None:
        window = to_window(stored)
        conversation.insert(window)
    elif window.members is not None:
        return
    else:
        window.fill(stored.entries)
    conversation.know(window)


def _recall_early(conversation: Conversation, entry: Entry) -> None:
    if entry.event_id not in conversation.where:
        conversation.know_stray(entry.event_id)
        conversation.early.setdefault(entry.target, []).append(entry)
