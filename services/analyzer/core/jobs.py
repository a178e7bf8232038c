"""Decides which jobs a seal makes and ends, and whether a text is what was sealed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from parley.analyses import JobRef, JobTrigger, Lane
from parley.digests import Member, SpokenMember, member_digest
from parley.passes.applied import AppliedPass
from parley.passes.catalog import SegmentFacts
from parley.passes.code import SegmentText
from parley.seals import SegmentSealed


@dataclass(frozen=True, slots=True)
class Segment:
    """One revision of a segment, as its seal describes it, and where the seal lies.

    `source_partition` is of the seals topic; incarnation, `events_partition` and
    `decided_offset` are of the events topic.
    """

    tenant_id: str
    conversation_id: str
    segment_id: str
    revision: int
    started_at: datetime
    ended_at: datetime
    first_event_id: str
    last_event_id: str
    message_count: int
    member_digest: bytes
    incarnation: str
    events_partition: int
    decided_offset: int
    source_partition: int
    sealed_at: datetime


@dataclass(frozen=True, slots=True)
class Job:
    """One pass version to be run over one revision of one segment: the five are its key.

    Live jobs go before those of a backfill, then those of the greater priority, then the older.
    """

    segment: Segment
    pass_name: str
    pass_version: int
    fingerprint: str
    trigger: JobTrigger
    lane: Lane = Lane.LIVE
    priority: int = 0
    backfill_run_id: str = ""

    @property
    def ref(self) -> JobRef:
        """The job as the analyses topic names it."""
        segment = self.segment
        return JobRef(
            segment.tenant_id,
            segment.conversation_id,
            segment.segment_id,
            segment.revision,
            self.pass_name,
            self.pass_version,
            self.fingerprint,
        )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A claimed job: its attempts including this one, and those before that raised.

    `released_count` attempts do not count: the provider was away, or the budget was spent. What is
    left of them was lost with a worker. `generation` is how often the job was reopened, and
    `traceparent` whose span made it, where traces are sent.
    """

    job: Job
    attempt_count: int
    failure_count: int
    started_at: datetime
    released_count: int = 0
    generation: int = 0
    traceparent: str = ""

    @property
    def lost_count(self) -> int:
        """Attempts, including this one, of which nobody has said how they ended."""
        return self.attempt_count - self.failure_count - self.released_count


@dataclass(frozen=True, slots=True)
class Stale:
    """Revisions of a segment below `below_revision` are no longer wanted."""

    tenant_id: str
    segment_id: str
    below_revision: int
    reason: str


def segment_of(sealed: SegmentSealed, source_partition: int, sealed_at: datetime) -> Segment:
    """What jobs need to know of a seal that lies in `source_partition` since `sealed_at`."""
    return Segment(
        tenant_id=sealed.tenant_id,
        conversation_id=sealed.conversation_id,
        segment_id=sealed.segment_id,
        revision=sealed.revision,
        started_at=sealed.started_at,
        ended_at=sealed.ended_at,
        first_event_id=sealed.first_event_id,
        last_event_id=sealed.last_event_id,
        message_count=sealed.message_count,
        member_digest=sealed.member_digest,
        incarnation=sealed.incarnation,
        events_partition=sealed.partition,
        decided_offset=sealed.decided_offset,
        source_partition=source_partition,
        sealed_at=sealed_at,
    )


def facts_of(sealed: SegmentSealed) -> SegmentFacts:
    """What decides about the passes of a sealed segment."""
    return SegmentFacts(sealed.tenant_id, sealed.channel, sealed.message_count, sealed.segment_id)


def jobs_of(segment: Segment, passes: Iterable[AppliedPass]) -> list[Job]:
    """One job for each pass that is due, under the fingerprint that was applied."""
    return [
        Job(
            segment,
            one.name,
            one.version,
            one.fingerprint,
            JobTrigger.SEAL,
            priority=one.definition.priority,
        )
        for one in passes
    ]


def stale_after(sealed: SegmentSealed) -> list[Stale]:
    """What a seal makes stale: its segment's earlier revisions, and the segments it swallowed."""
    stale = [
        Stale(sealed.tenant_id, one.segment_id, one.revision + 1, "retracted")
        for one in sealed.retracted
    ]
    if sealed.revision > 1:
        stale.append(Stale(sealed.tenant_id, sealed.segment_id, sealed.revision, "newer_revision"))
    return stale


def text_of(segment: Segment, members: Sequence[SpokenMember]) -> SegmentText | None:
    """The segment's text, if `members` are exactly those that were sealed, else None."""
    ids = (Member(one.event_id, one.content_version) for one in members)
    if member_digest(ids) != segment.member_digest:
        return None
    ordered = sorted(members, key=lambda one: (one.event_time, one.event_id))
    return SegmentText(segment.segment_id, tuple(ordered))
