"""Which transitions lead a conversation from one state to another."""

from collections import deque

from parley.conversation_state import allowed_from
from parley.events import ConversationState

# Nobody means to pass through these.
_NOT_ON_THE_WAY = (ConversationState.ERROR, ConversationState.ENDED)


def steps(
    state: ConversationState, target: ConversationState
) -> tuple[ConversationState, ...] | None:
    """The fewest transitions that lead there, none where it is there; None for no way.

    Of ways of equal length it is the one through LISTENING: what is answered was heard before.
    """
    ways: deque[tuple[ConversationState, ...]] = deque([()])
    reached = {state}
    while ways:
        way = ways.popleft()
        here = way[-1] if way else state
        if here is target:
            return way
        for there in sorted(allowed_from(here), key=_is_not_listening):
            if there not in reached and (there is target or there not in _NOT_ON_THE_WAY):
                reached.add(there)
                ways.append((*way, there))
    return None


def _is_not_listening(state: ConversationState) -> bool:
    return state is not ConversationState.LISTENING
