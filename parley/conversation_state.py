"""A conversation's state: a fold of its events in the order of the log, the same everywhere.

Gateways fold the log's tail to tell their clients; the persister folds it into the table that a
gateway begins from. Both feed `fold` every valid StateRequested of the conversation in log order,
copies of one event included, and nothing else changes the state.
"""

from dataclasses import dataclass
from typing import Final

from parley.events import ConversationState, StateRequested

_CHAIN: Final = (
    ConversationState.IDLE,
    ConversationState.LISTENING,
    ConversationState.PROCESSING,
    ConversationState.SPEAKING,
    ConversationState.WAITING_FOR_USER,
)
# Reached from wherever the conversation is: whoever asks for them need not know where that is.
_FROM_ANYWHERE: Final = (ConversationState.ERROR, ConversationState.ENDED)

# How many requests are remembered, so that a copy that a client sent again decides nothing anew.
REMEMBERED: Final = 16


@dataclass(frozen=True, slots=True)
class ConversationStatus:
    """The state, and the event ids of the last 16 requests that were judged, oldest first."""

    state: ConversationState = ConversationState.IDLE
    judged: tuple[str, ...] = ()


NEW: Final = ConversationStatus()


def allowed_from(state: ConversationState) -> tuple[ConversationState, ...]:
    """Where a conversation may go from here; ENDED is left by `reopen` only, to IDLE."""
    if state is ConversationState.ENDED:
        return ()
    if state is ConversationState.ERROR:
        return (*_CHAIN, ConversationState.ENDED)
    return (*_neighbours(state), *_FROM_ANYWHERE)


def is_allowed(state: ConversationState, request: StateRequested) -> bool:
    """Whether the request, wherever it thought that it began, may be granted in this state."""
    if request.reopen:
        return state is ConversationState.ENDED and request.target is ConversationState.IDLE
    return request.target in allowed_from(state)


def fold(
    status: ConversationStatus, event_id: str, request: StateRequested
) -> tuple[ConversationStatus, bool]:
    """The status after a request, and whether it was granted.

    Of requests that begin at one state the first in the log wins: the others begin at a state
    that is no more, and are not granted.
    """
    if event_id in status.judged:
        return status, False
    judged = (*status.judged, event_id)[-REMEMBERED:]
    begins_here = request.source is status.state or request.target in _FROM_ANYWHERE
    is_granted = begins_here and is_allowed(status.state, request)
    state = request.target if is_granted else status.state
    return ConversationStatus(state, judged), is_granted


def _neighbours(state: ConversationState) -> tuple[ConversationState, ...]:
    place = _CHAIN.index(state)
    near = _CHAIN[max(0, place - 1) : place] + _CHAIN[place + 1 : place + 2]
    if state is ConversationState.WAITING_FOR_USER:
        return (*near, ConversationState.LISTENING)
    return near
