"""Turns seals into rows: every revision of a segment, and how each segment stands now.

A retraction outranks the revision that it names and loses to every later one, so a segment that
was swallowed and came back is current again, in whichever order the seals are read.
"""

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from parley.seals import SegmentRetracted, SegmentSealed, SessionSettled
from services.persister.core.rows import Place


class ReceivedSegment(NamedTuple):
    """A sealed segment with its record's place."""

    sealed: SegmentSealed
    place: Place

    @property
    def key(self) -> tuple[str, str, int]:
        """What must be unique."""
        return self.sealed.tenant_id, self.sealed.segment_id, self.sealed.revision

    @property
    def identity(self) -> tuple[str, bytes, int, int]:
        """What copies of one decision have in common."""
        sealed = self.sealed
        return sealed.incarnation, sealed.member_digest, sealed.partition, sealed.decided_offset


class ReceivedSettlement(NamedTuple):
    """A settled session with its record's place."""

    settled: SessionSettled
    place: Place

    @property
    def key(self) -> tuple[str, str, int, str, int, int]:
        """What must be unique."""
        settled = self.settled
        return (
            settled.tenant_id,
            settled.session_id,
            settled.generation,
            settled.incarnation,
            settled.partition,
            settled.decided_offset,
        )

    @property
    def identity(self) -> datetime:
        """What copies of one decision have in common."""
        return self.settled.ended_at


ReceivedSeal = ReceivedSegment | ReceivedSettlement


class RevisionRow(NamedTuple):
    """One decision about a segment."""

    tenant_id: str
    segment_id: str
    revision: int
    previous_revision: int
    conversation_id: str
    cause: str
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
    idle_gap: timedelta
    rule_version: int
    opening_event_id: str
    channel: str
    participants: tuple[str, ...]
    user_ids: tuple[str, ...]
    cut_event_time: datetime | None
    cut_event_id: str | None
    retracted: str
    sealed_at: datetime


class SegmentRow(NamedTuple):
    """How a segment stands; one that is retracted has no bounds any more."""

    tenant_id: str
    segment_id: str
    conversation_id: str
    revision: int
    is_retracted: bool
    merged_into: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    message_count: int | None = None
    cause: str | None = None
    channel: str | None = None


def revision_row(received: ReceivedSegment) -> RevisionRow:
    """The decision, whole."""
    sealed, place = received
    cut = sealed.cut
    # In the order of the fields, as of all that there is for every record.
    return RevisionRow(
        sealed.tenant_id,
        sealed.segment_id,
        sealed.revision,
        sealed.previous_revision,
        sealed.conversation_id,
        sealed.cause.value,
        sealed.started_at,
        sealed.ended_at,
        sealed.first_event_id,
        sealed.last_event_id,
        sealed.message_count,
        sealed.member_digest,
        sealed.first_offset,
        sealed.last_offset,
        sealed.incarnation,
        sealed.partition,
        sealed.decided_offset,
        sealed.watermark,
        sealed.policy_id,
        sealed.policy_version,
        sealed.idle_gap,
        sealed.rule_version,
        sealed.opening_event_id,
        sealed.channel,
        sealed.participants,
        sealed.user_ids,
        cut.event_time if cut else None,
        cut.event_id if cut else None,
        json.dumps([_retraction(one) for one in sealed.retracted]) if sealed.retracted else "[]",
        place.append_time,
    )


def current_segments(sealed: Iterable[SegmentSealed]) -> list[SegmentRow]:
    """How the segments stand that these seals concern, as far as these seals know."""
    current: dict[tuple[str, str], SegmentRow] = {}
    for one in sealed:
        for row in (_sealed(one), *[_retracted(one, other) for other in one.retracted]):
            key = row[:2]
            other = current.get(key)
            current[key] = row if other is None else max(other, row, key=_rank)
    return list(current.values())


def _rank(row: SegmentRow) -> tuple[int, bool]:
    return row.revision, row.is_retracted


def _sealed(sealed: SegmentSealed) -> SegmentRow:
    return SegmentRow(
        sealed.tenant_id,
        sealed.segment_id,
        sealed.conversation_id,
        sealed.revision,
        False,
        None,
        sealed.started_at,
        sealed.ended_at,
        sealed.message_count,
        sealed.cause.value,
        sealed.channel,
    )


def _retracted(by: SegmentSealed, retracted: SegmentRetracted) -> SegmentRow:
    return SegmentRow(
        tenant_id=by.tenant_id,
        segment_id=retracted.segment_id,
        conversation_id=by.conversation_id,
        revision=retracted.revision,
        is_retracted=True,
        merged_into=retracted.merged_into,
    )


def _retraction(retracted: SegmentRetracted) -> dict[str, str | int]:
    return {
        "segment_id": retracted.segment_id,
        "revision": retracted.revision,
        "merged_into": retracted.merged_into,
    }
