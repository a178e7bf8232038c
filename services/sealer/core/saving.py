"""What is to be saved, all at once or what differs, and how memory is filled from it."""

from services.sealer.core.conversation import Conversation
from services.sealer.core.import_progress import ImportProgress
from services.sealer.core.records import (
    NO_SEGMENT,
    Changes,
    ConversationKey,
    Entries,
    PartitionRecord,
    Snapshot,
    StoredSegment,
)
from services.sealer.core.rows import to_record, to_window
from services.sealer.core.sessions import Session
from services.sealer.core.state import BEGINNING, PartitionState, Unsaved


def changes(state: PartitionState) -> Changes:
    """What differs since the last call."""
    unsaved, state.unsaved = state.unsaved, Unsaved()
    # An id that was retired and came back is there twice: the later window counts.
    latest = {(one.key, one.segment_id): one for one in unsaved.windows}
    records = [to_record(window) for window in latest.values()]
    placed = tuple(sorted(cut for cut, is_placed in unsaved.cuts.items() if is_placed))
    lifted = tuple(sorted(cut for cut, is_placed in unsaved.cuts.items() if not is_placed))
    return Changes(
        partition=_partition_record(state),
        open=tuple(record for record in records if record.is_open),
        closed=tuple(record for record in records if not record.is_open),
        absorbed=tuple(one for one in unsaved.absorbed if one not in latest),
        rewritten=tuple(unsaved.rewritten),
        dropped=tuple(unsaved.dropped),
        entries=_new_entries(unsaved),
        cuts_placed=placed,
        cuts_lifted=lifted,
        sessions=tuple(session.record() for session in unsaved.sessions),
    )


def _new_entries(unsaved: Unsaved) -> tuple[Entries, ...]:
    appended = [Entries(key, NO_SEGMENT, tuple(entries)) for key, entries in unsaved.loose.items()]
    for window in unsaved.windows:
        if window.unsaved and window.absorbed_by is None:
            appended.append(Entries(window.key, window.segment_id, tuple(window.unsaved)))
        window.unsaved = []
    return tuple(appended)


def _partition_record(state: PartitionState) -> PartitionRecord:
    return PartitionRecord(
        watermark=None if state.watermark == BEGINNING else state.watermark,
        rule_version=state.rule_version,
        imports=tuple(one.record() for _, one in sorted(state.imports.items())),
    )


def snapshot(state: PartitionState) -> Snapshot:
    """All segments, cuts and sessions in memory, sorted."""
    conversations = [one for _, one in sorted(state.conversations.items())]
    return Snapshot(
        partition=_partition_record(state),
        segments=tuple(
            StoredSegment(to_record(window), window.entries())
            for conversation in conversations
            for window in conversation.windows
        ),
        cuts=tuple((one.key, cut) for one in conversations for cut in one.cuts),
        sessions=tuple(
            session.record()
            for conversation in conversations
            for _, session in sorted(conversation.sessions.items())
        ),
    )


def restore(state: PartitionState, snapshot: Snapshot) -> None:
    """Fill an empty memory; what else the tables hold comes by `recall`."""
    restore_partition(state, snapshot.partition)
    restore_conversations(state, snapshot)


def restore_partition(state: PartitionState, partition: PartitionRecord) -> None:
    """The partition's time, rule and imports."""
    state.watermark = partition.watermark or BEGINNING
    state.rule_version = partition.rule_version
    for record in partition.imports:
        progress = state.imports[record.import_id] = ImportProgress.recalled(record)
        state.queue.schedule(progress)


def restore_conversations(state: PartitionState, snapshot: Snapshot) -> None:
    """Conversations that memory does not hold."""
    for key, cut in snapshot.cuts:
        _restored(state, key).place_cut(cut)
    for session in snapshot.sessions:
        state.recall_session(_restored(state, session.key), Session.recalled(session))
    for stored in snapshot.segments:
        _restore_segment(state, stored)


def _restored(state: PartitionState, key: ConversationKey) -> Conversation:
    return state.conversations.setdefault(key, Conversation(key, is_whole=False))


def _restore_segment(state: PartitionState, stored: StoredSegment) -> None:
    window = to_window(stored)
    conversation = _restored(state, window.key)
    conversation.insert(window)
    conversation.know(window)
    state.open_count += window.is_open
    for import_id in window.held_by:
        state.imports[import_id].held[window] = None
    state.queue.schedule(window)
