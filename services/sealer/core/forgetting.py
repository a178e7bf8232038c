"""What memory keeps: what is open, and in outline each such conversation's last segment."""

from services.sealer.core.conversation import Conversation
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window


def forget(state: PartitionState) -> None:
    """Keep what is open and, in outline, each such conversation's last segment."""
    touched, state.touched = state.touched, {}
    for key in touched:
        conversation = state.conversations.get(key)
        if conversation is not None and not _trim(conversation):
            del state.conversations[key]


def _trim(conversation: Conversation) -> bool:
    """Whether something of the conversation is open and must be kept."""
    _trim_sessions(conversation)
    open_windows = [window for window in conversation.windows if window.is_open]
    if not open_windows and not conversation.sessions:
        # A deadline that was overtaken may keep a window for days: not its members, though.
        for window in conversation.windows:
            conversation.forget_entries(window)
        return False
    for known in (conversation.early, conversation.retired):
        if known:
            conversation.is_whole = False
            known.clear()
    _trim_windows(conversation, open_windows)
    if not conversation.is_whole:
        _trim_strays(conversation)
    return True


def _trim_sessions(conversation: Conversation) -> None:
    ended = [one for one in conversation.sessions.values() if not one.is_open]
    for session in ended:
        del conversation.sessions[session.session_id]
        conversation.is_whole = False


def _trim_windows(conversation: Conversation, kept: list[Window]) -> None:
    tail = conversation.windows[-1:]
    if len(kept) < len(conversation.windows):
        conversation.is_whole = False
        for window in conversation.windows:
            if not window.is_open:
                conversation.forget_entries(window)
        conversation.windows = kept + [one for one in tail if not one.is_open]
        conversation.by_id = {one.segment_id: one for one in conversation.windows}
    if conversation.cuts and conversation.windows:
        first = conversation.windows[0].first
        cuts = [cut for cut in conversation.cuts if cut >= first]
        conversation.is_whole &= len(cuts) == len(conversation.cuts)
        conversation.cuts = cuts


def _trim_strays(conversation: Conversation) -> None:
    for event_id in conversation.strays:
        # A revision that came early has found its message since.
        if conversation.where.get(event_id, event_id) is None:
            del conversation.where[event_id]
    conversation.strays.clear()
