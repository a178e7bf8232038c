"""What a record does to its conversation: to its segments, and to its session.

Decided here, where the rule leaves it open:
- A revision that wins is an arrival: the segment waits R after it. It extends no reach. One that
  comes before its message is kept until the message comes.
"""

from collections.abc import Callable
from typing import Final

from parley.events import (
    ConversationState,
    Event,
    MessageRevised,
    Said,
    SealForced,
    StateRequested,
)
from services.sealer.core import ends, imports, joining
from services.sealer.core.conversation import Conversation
from services.sealer.core.facts import Fact
from services.sealer.core.records import Entry
from services.sealer.core.sessions import Session, Turn
from services.sealer.core.state import PartitionState


def hear(state: PartitionState, said: Said) -> None:
    """A message joins its segment, and its session goes on."""
    conversation = state.conversation((said.tenant_id, said.conversation_id))
    if said.event_id in conversation.where:
        return
    joining.join(state, conversation, said)
    if said.session_id:
        session = _session(state, conversation, said)
        was_open = session.is_open
        session.hear(said.event_time, state.watermark)
        if session.is_open is not was_open:
            conversation.count_session(session, +1)
        # While a session goes on its deadline only grows.
        if session.queued is None:
            state.queue.schedule(session)


def apply(state: PartitionState, event: Event) -> None:
    """Anything else that happened in a conversation."""
    conversation = state.conversation((event.tenant_id, event.conversation_id))
    kind = type(event.body)
    if kind in _REMEMBERED and event.event_id in conversation.where:
        return
    effect = _EFFECTS.get(kind)
    if effect is not None:
        effect(state, conversation, event)
    if event.session_id:
        _apply_to_session(state, conversation, event)


def _apply_to_session(state: PartitionState, conversation: Conversation, event: Event) -> None:
    session = _session(state, conversation, event)
    was_open = session.is_open
    turn = session.observe(event, state.watermark)
    conversation.count_session(session, session.is_open - was_open)
    if session.queued is None:
        state.queue.schedule(session)
    if turn is Turn.REOPENED:
        ends.session_reopened(state, conversation, session)
    elif turn is Turn.ENDED and event.import_id is not None:
        ends.imported_session_ended(state, conversation, session, event.event_time)
    elif turn is Turn.ENDED:
        ends.session_closed(state, conversation, session, state.watermark)


def _session(state: PartitionState, conversation: Conversation, fact: Fact) -> Session:
    """The session of an event, which changes it: a new one where none is known."""
    session = conversation.sessions.get(fact.session_id)
    if session is None:
        session = _meet(state, conversation, fact)
    state.unsaved.sessions[session] = None
    return session


def _meet(state: PartitionState, conversation: Conversation, fact: Fact) -> Session:
    session = Session(
        key=conversation.key,
        session_id=fact.session_id,
        is_imported=fact.import_id is not None,
        last_event_time=fact.event_time,
        last_arrival=state.watermark,
    )
    conversation.sessions[fact.session_id] = session
    conversation.count_session(session, +1)
    return session


def _revise(state: PartitionState, conversation: Conversation, event: Event) -> None:
    assert isinstance(event.body, MessageRevised)  # noqa: S101 - by its key in _EFFECTS
    target = event.body.target_event_id
    entry = Entry(event.event_id, event.event_time, state.offset, target)
    window = conversation.window_of(target)
    if window is None:
        conversation.know_stray(event.event_id)
        conversation.early.setdefault(target, []).append(entry)
        state.unsaved.note_loose(conversation.key, entry)
        return
    conversation.where[event.event_id] = window
    if window.revise(entry):
        joining.touch(state, window, event)
        if event.import_id is not None:
            imports.hold(state, window, event.import_id)
    state.changed(window)


def _end_state(state: PartitionState, conversation: Conversation, event: Event) -> None:
    body = event.body
    if isinstance(body, StateRequested) and body.target is ConversationState.ENDED:
        ends.end_state(state, conversation, event)


_EFFECTS: Final[dict[type, Callable[[PartitionState, Conversation, Event], None]]] = {
    MessageRevised: _revise,
    SealForced: ends.force,
    StateRequested: _end_state,
}
# A repeat of these changes nothing, like that of a message: their ids are known. Session events
# go by generation.
_REMEMBERED: Final = frozenset({MessageRevised, SealForced})
