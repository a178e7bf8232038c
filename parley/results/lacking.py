"""Decides which verdicts a segment lacks, and why: no I/O, from the facts alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog, NotDue, SegmentFacts
from parley.passes.suspended import Suspended

Row = Mapping[str, Any]

NOTHING_SUSPENDED: Final[Mapping[str, Suspended]] = MappingProxyType({})


class Why(StrEnum):
    """Why there is no verdict, beside those for which none is due."""

    OPEN = "open"
    PARKED = "parked"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    # Sealed before the pass was in force, most often: a backfill makes the job.
    NO_JOB = "no_job"


@dataclass(frozen=True, slots=True)
class Lack:
    """A verdict that a segment does not have.

    `former` is the revision and version of one that it has instead, which counts no more.
    """

    pass_name: str
    pass_version: int
    why: Why | NotDue
    reason: str = ""
    attempt_count: int = 0
    due_at: datetime | None = None
    former: tuple[int, int] | None = None
    fingerprint: str = ""

    @property
    def is_due(self) -> bool:
        """Whether the segment is to have it."""
        return isinstance(self.why, Why)


def lacking(
    catalog: Catalog,
    segment: Row,
    verdicts: Sequence[Row],
    jobs: Sequence[Row],
    suspended: Mapping[str, Suspended] = NOTHING_SUSPENDED,
) -> list[Lack]:
    """What a segment as it stands lacks; `verdicts` and `jobs` are its own, of every revision.

    Open jobs of passes that are `suspended`, by their fingerprints, say so.
    """
    facts = SegmentFacts(
        segment["tenant_id"],
        segment["channel"] or "",
        segment["message_count"] or 0,
        str(segment["segment_id"]),
    )
    due = catalog.due(facts)
    found = [
        lack
        for applied in due.passes
        for lack in _lack_of(applied, segment["revision"], verdicts, jobs)
    ]
    found = [_suspended(lack, suspended) for lack in found]
    return found + [Lack(one.name, one.version, why) for one, why in due.others]


def _lack_of(
    applied: AppliedPass, revision: int, verdicts: Sequence[Row], jobs: Sequence[Row]
) -> Iterator[Lack]:
    mine = [one for one in verdicts if one["pass_name"] == applied.name]
    key = (revision, applied.version)
    if any(
        (one["revision"], one["pass_version"]) == key and one["fingerprint"] == applied.fingerprint
        for one in mine
    ):
        return
    former = max(((one["revision"], one["pass_version"]) for one in mine), default=None)
    job = next(
        (
            one
            for one in jobs
            if one["pass_name"] == applied.name and (one["revision"], one["pass_version"]) == key
        ),
        None,
    )
    yield _lack(applied, job, former)


def _suspended(lack: Lack, suspended: Mapping[str, Suspended]) -> Lack:
    one = suspended.get(lack.fingerprint)
    return lack if one is None or lack.why is not Why.OPEN else replace(lack, reason=str(one))


def _lack(applied: AppliedPass, job: Row | None, former: tuple[int, int] | None) -> Lack:
    if job is None:
        return Lack(applied.name, applied.version, Why.NO_JOB, former=former)
    state = job["state"]
    # One with a verdict is about to be in the tables.
    is_waiting = state not in (Why.PARKED, Why.FAILED, Why.SUPERSEDED)
    return Lack(
        applied.name,
        applied.version,
        Why.OPEN if is_waiting else Why(state),
        job["reason"],
        job["attempt_count"],
        job["due_at"] if state == "open" else None,
        former,
        job["fingerprint"],
    )
