"""What memory wants back of what the tables hold, and how it takes it in."""

from collections import defaultdict
from collections.abc import Iterable

from parley.events import Event, RecordRejected
from services.sealer.core.conversation import Conversation
from services.sealer.core.facts import Fact
from services.sealer.core.records import ConversationKey, Entry, History, StoredSegment
from services.sealer.core.rows import to_window
from services.sealer.core.sessions import Session
from services.sealer.core.state import PartitionState
from services.sealer.core.wanting import Range, Rejected, Wants, Wish


def wants(state: PartitionState, facts: Iterable[Fact]) -> Wants:
    """What must be recalled before these are observed."""
    by_conversation: dict[ConversationKey, list[Fact]] = defaultdict(list)
    for fact in facts:
        by_conversation[(fact.tenant_id, fact.conversation_id)].append(fact)
    wishes: list[Wish] = []
    refused: list[Rejected] = []
    for key, some in by_conversation.items():
        known = state.conversations.get(key)
        if not key[1]:
            refused.extend(rejected(some))
        elif known is None or not known.is_whole:
            wishes.append(Wish(key, known is None, some, tuple(_liftable_ranges(known))))
    return Wants(tuple(wishes), tuple(refused))


def rejected(facts: Iterable[Fact]) -> list[Rejected]:
    """The records that tables refused, by these facts."""
    bodies = (fact.body for fact in facts if type(fact) is Event)
    return [
        Rejected(body.rejected_event_id, body.rejected_offset)
        for body in bodies
        if isinstance(body, RecordRejected)
    ]


def _liftable_ranges(conversation: Conversation | None) -> Iterable[Range]:
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
    if conversation.where.get(entry.event_id) is not None:
        return
    conversation.know_stray(entry.event_id)
    waiting = conversation.early.setdefault(entry.target, [])
    if entry not in waiting:
        waiting.append(entry)
