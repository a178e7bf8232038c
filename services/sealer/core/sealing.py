"""What a seal says of the window that it closes."""

from itertools import repeat
from typing import Final

from parley.digests import member_digest
from parley.seals import Cut, SealCause, SegmentRetracted, SegmentSealed
from parley.values import maker
from services.sealer.core.window import Decided, Window

# A seal must fit into a record: 5,000 messages may come from as many senders with long names.
MAX_NAMED: Final = 128
_NO_VERSION: Final = (None, "")
_segment_sealed: Final = maker(SegmentSealed)


def seal_of(window: Window, cause: SealCause, decided: Decided) -> SegmentSealed:
    """The next revision of a window that closes now, with what it retracts."""
    tenant_id, conversation_id = window.key
    policy = window.policy
    return _segment_sealed(
        tenant_id,
        conversation_id,
        window.segment_id,
        window.revision + 1,
        window.current_revision,
        cause,
        window.first[0],
        window.last[0],
        window.first[1],
        window.last[1],
        window.message_count,
        _digest(window),
        window.first_offset,
        window.last_offset,
        decided.incarnation,
        decided.partition,
        decided.offset,
        decided.watermark,
        policy.policy_id,
        policy.version,
        window.rule_version,
        window.opening_event_id,
        window.channel,
        tuple(sorted(window.participants)[:MAX_NAMED]),
        tuple(sorted(window.user_ids)[:MAX_NAMED]),
        Cut(*window.cut) if window.cut is not None else None,
        _retracted(window),
        len(window.participants),
        len(window.user_ids),
        policy.idle_gap,
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
