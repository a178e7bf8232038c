"""A window as its row, and back."""

from typing import Final

from parley.values import maker
from services.sealer.core.records import SegmentRecord, StoredSegment
from services.sealer.core.window import Window

_segment_record: Final = maker(SegmentRecord)


def to_record(window: Window) -> SegmentRecord:
    """The row to save."""
    return _segment_record(
        window.key,
        window.segment_id,
        window.opening_event_id,
        window.rule_version,
        window.is_open,
        window.revision,
        window.current_revision,
        window.first,
        window.last,
        window.reach,
        window.last_arrival,
        window.released_at,
        window.deadline(),
        window.policy,
        window.channel,
        tuple(sorted(window.participants)),
        tuple(sorted(window.user_ids)),
        tuple(sorted(window.session_ids)),
        window.message_count,
        window.first_offset,
        window.last_offset,
        window.is_imported,
        tuple(sorted(window.held_by)),
        tuple(sorted(window.retracts.items())),
        window.end,
        window.cut,
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
