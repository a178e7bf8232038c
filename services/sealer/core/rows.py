"""A window as its row, and back."""

from services.sealer.core.records import SegmentRecord, StoredSegment
from services.sealer.core.window import Window


def to_record(window: Window) -> SegmentRecord:
    """The row to save."""
    return SegmentRecord(
        key=window.key,
        segment_id=window.segment_id,
        opening_event_id=window.opening_event_id,
        rule_version=window.rule_version,
        is_open=window.is_open,
        revision=window.revision,
        current_revision=window.current_revision,
        first=window.first,
        last=window.last,
        reach=window.reach,
        last_arrival=window.last_arrival,
        released_at=window.released_at,
        deadline=window.deadline(),
        policy=window.policy,
        channel=window.channel,
        participants=tuple(sorted(window.participants)),
        user_ids=tuple(sorted(window.user_ids)),
        session_ids=tuple(sorted(window.session_ids)),
        message_count=window.message_count,
        first_offset=window.first_offset,
        last_offset=window.last_offset,
        is_imported=window.is_imported,
        held_by=tuple(sorted(window.held_by)),
        retracts=tuple(sorted(window.retracts.items())),
        end=window.end,
        cut=window.cut,
    )


def to_window(stored: StoredSegment) -> Window:
    """A window from its row; its limit is its conversation's to set."""
    record = stored.record
    window = Window(
        key=record.key,
        segment_id=record.segment_id,
        opening_event_id=record.opening_event_id,
        rule_version=record.rule_version,
        first=record.first,
        last=record.last,
        reach=record.reach,
        policy=record.policy,
        channel=record.channel,
        first_offset=record.first_offset,
        last_offset=record.last_offset,
        revision=record.revision,
        current_revision=record.current_revision,
        is_open=record.is_open,
        message_count=record.message_count,
        last_arrival=record.last_arrival,
        released_at=record.released_at,
        is_imported=record.is_imported,
        end=record.end,
        cut=record.cut,
        members=None,
        participants=set(record.participants),
        user_ids=set(record.user_ids),
        session_ids=set(record.session_ids),
        held_by=set(record.held_by),
        retracts=dict(record.retracts),
    )
    window.fill(stored.entries)
    return window
