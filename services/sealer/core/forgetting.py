"""What memory keeps: what is open, and in outline each such conversation's last segment.

Imported conversations may come by the million with sessions that nobody ends. Where nothing else of
one is open it sleeps in the tables until its sessions settle.
"""

from datetime import datetime

from services.sealer.core.conversation import Conversation
from services.sealer.core.records import ConversationKey
from services.sealer.core.state import PartitionState
from services.sealer.core.window import Window


def forget(state: PartitionState) -> list[tuple[datetime, ConversationKey]]:
    """Keep what is open and, in outline, each such conversation's last segment.

    Returns what falls asleep, with the watermark at which it must be awake again.
    """
    touched, state.touched = state.touched, {}
    asleep = []
    for key in touched:
        conversation = state.conversations.get(key)
        if conversation is None:
            continue
        is_kept = _trim(conversation)
        if is_kept and _has_only_imported_sessions(conversation):
            asleep.append((_fall_asleep(conversation), key))
            is_kept = False
        if not is_kept:
            del state.conversations[key]
    return asleep


def _has_only_imported_sessions(conversation: Conversation) -> bool:
    if conversation.open_live_sessions or not conversation.open_imported_sessions:
        return False
    return not any(window.is_open for window in conversation.windows)


def _fall_asleep(conversation: Conversation) -> datetime:
    """Returns when the first of its sessions settles."""
    deadlines = []
    for session in conversation.sessions.values():
        deadlines.append(session.settles_at())
        # Its place in the queue is void.
        session.queued = None
    return min(deadlines)


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
