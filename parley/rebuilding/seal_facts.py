"""What a seal says, fact by fact, so that two of one revision can be told apart and why."""

from hashlib import sha256
from typing import Any, Final

from parley.seals import Seal, SegmentSealed

# Where a decision lies. A copy of the log has other places, so they are compared within one alone.
# The members' offsets are not: those of a segment that was open at the copy are of either.
POSITIONS: Final = ("decided_offset", "watermark")
_SAID: Final = (
    "previous_revision",
    "cause",
    "started_at",
    "ended_at",
    "first_event_id",
    "last_event_id",
    "message_count",
    "member_digest",
    "policy_id",
    "policy_version",
    "idle_gap",
    "rule_version",
    "opening_event_id",
    "channel",
    "participants",
    "participant_count",
    "user_ids",
    "user_count",
    "cut",
    "retracted",
)
# Of a session, each settlement of a generation is another one by its end.
_SETTLED: Final = ("conversation_id", "reason")
# Longer ones are told apart by a digest.
_LONGEST: Final = 64


def facts_of(seal: Seal) -> dict[str, str]:
    """By name, as short texts."""
    names = (*_SAID, *POSITIONS) if isinstance(seal, SegmentSealed) else _SETTLED
    return {name: _short(getattr(seal, name)) for name in names}


def _short(value: Any) -> str:
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST else sha256(text.encode()).hexdigest()
