"""Closes a window: its seal is decided, and nothing waits for it any more."""

from parley.seals import SealCause
from services.sealer.core import imports
from services.sealer.core.conversation import Conversation
from services.sealer.core.sealing import seal_of
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window


def close(
    state: PartitionState, conversation: Conversation, window: Window, cause: SealCause
) -> None:
    """Seal a window now."""
    imports.let_go(state, window)
    state.decisions.append(seal_of(window, cause, state.decided()))
    state.open_count -= 1
    for segment_id in window.retracts:
        del conversation.retracting[segment_id]
    window.close()
    state.unsaved.windows[window] = None
