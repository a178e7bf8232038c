"""What a seal says of the window that it closes."""

from itertools import repeat
from typing import Final

from parley.digests import member_digest
from parley.seals import Cut, SealCause, SegmentRetracted, SegmentSealed
from services.sealer.core.window import Decided, Window

# A seal must fit into a record: 5,000 messages may come from as many senders with long names.
MAX_NAMED: Final = 128
_NO_VERSION: Final = (None, "")


def seal_of(window: Window, cause: SealCause, decided: Decided) -> SegmentSealed:
    """The next revision of a window that closes now, with what it retracts."""
    tenant_id, conversation_id = window.key
    return SegmentSealed(
        tenant_id=tenant_id,
        conversation_id=conversation_id,
        segment_id=window.segment_id,
        revision=window.revision + 1,
        previous_revision=window.current_revision,
        cause=cause,
        started_at=window.first[0],
        ended_at=window.last[0],
        first_event_id=window.first[1],
        last_event_id=window.last[1],
        message_count=window.message_count,
        member_digest=_digest(window),
        first_offset=window.first_offset,
        last_offset=window.last_offset,
        incarnation=decided.incarnation,
        partition=decided.partition,
        decided_offset=decided.offset,
        watermark=decided.watermark,
        policy_id=window.policy.policy_id,
        policy_version=window.policy.version,
        rule_version=window.rule_version,
        opening_event_id=window.opening_event_id,
        channel=window.channel,
        participants=tuple(sorted(window.participants)[:MAX_NAMED]),
        user_ids=tuple(sorted(window.user_ids)[:MAX_NAMED]),
        cut=Cut(*window.cut) if window.cut is not None else None,
        retracted=_retracted(window),
        participant_count=len(window.participants),
        user_count=len(window.user_ids),
        idle_gap=window.policy.idle_gap,
    )


def _digest(window: Window) -> bytes:
    if not window.versions:
        return member_digest(zip(window.loaded(), repeat("")))
    return member_digest(
        (event_id, window.versions.get(event_id, _NO_VERSION)[1]) for event_id in window.loaded()
    )


def _retracted(window: Window) -> tuple[SegmentRetracted, ...]:
    return tuple(
        SegmentRetracted(segment_id, revision, window.segment_id)
        for segment_id, revision in sorted(window.retracts.items())
    )
