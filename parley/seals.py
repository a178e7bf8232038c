"""What the sealer decides about a conversation: segments that are over, sessions that settled."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from parley.events import EndReason


class SealCause(StrEnum):
    """Why a segment closed."""

    IDLE = "idle"
    ENDED = "ended"
    FORCED = "forced"
    CAP = "cap"
    LATE = "late"
    IMPORT = "import"


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """A place that no segment crosses: what sorts at or before it lies on its left side."""

    event_time: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class SegmentRetracted:
    """A segment that is no more: its messages belong to `merged_into` now."""

    segment_id: str
    revision: int
    merged_into: str


@dataclass(frozen=True, slots=True)
class SegmentSealed:
    """A segment is over, as of `decided_offset` in its partition of the events topic.

    Members are the conversation's messages from (started_at, first_event_id) to
    (ended_at, last_event_id) as of that offset; `member_digest` is `member_digest()` of them.
    Of very many participants and users only the first are named; the counts are of all.
    """

    tenant_id: str
    conversation_id: str
    segment_id: str
    revision: int
    previous_revision: int
    cause: SealCause
    started_at: datetime
    ended_at: datetime
    first_event_id: str
    last_event_id: str
    message_count: int
    member_digest: bytes
    first_offset: int
    last_offset: int
    incarnation: str
    partition: int
    decided_offset: int
    watermark: datetime
    policy_id: str
    policy_version: int
    rule_version: int
    opening_event_id: str
    channel: str
    participants: tuple[str, ...]
    user_ids: tuple[str, ...]
    cut: Cut | None = None
    retracted: tuple[SegmentRetracted, ...] = ()
    participant_count: int = 0
    user_count: int = 0
    idle_gap: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class SessionSettled:
    """A session that nobody ended counts as ended at its last event's time."""

    tenant_id: str
    conversation_id: str
    session_id: str
    generation: int
    reason: EndReason
    ended_at: datetime
    incarnation: str
    partition: int
    decided_offset: int
    watermark: datetime


Seal = SegmentSealed | SessionSettled
