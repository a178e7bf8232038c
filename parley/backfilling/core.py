"""Decides which seals of the past a backfill makes jobs of, and how it counts them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

from parley.passes.applied import AppliedPass
from parley.passes.catalog import Catalog, NotDue, SegmentFacts
from parley.passes.definition import PassDefinition, PassKind, Target
from parley.seals import SegmentSealed

_ANYTHING: Final = Target()


@dataclass(frozen=True, slots=True)
class BackfillPass:
    """A pass version as a run keeps it: which segments it is for, and who it is."""

    name: str
    version: int
    fingerprint: str
    kind: PassKind = PassKind.CODE
    category: str = ""
    priority: int = 0
    target: Target = _ANYTHING
    sampling: float = 1.0

    @classmethod
    def of(cls, applied: AppliedPass) -> Self:
        """What a run keeps of a version that was applied."""
        definition = applied.definition
        return cls(
            name=definition.name,
            version=definition.version,
            fingerprint=applied.fingerprint,
            kind=definition.kind,
            category=definition.category,
            priority=definition.priority,
            target=definition.target,
            sampling=definition.sampling,
        )

    def definition(self) -> PassDefinition:
        """As much of its definition as decides for which segments it is."""
        return PassDefinition(
            name=self.name,
            version=self.version,
            kind=self.kind,
            category=self.category,
            description="",
            output_schema={},
            priority=self.priority,
            target=self.target,
            sampling=self.sampling,
        )

    def to_json(self) -> dict[str, Any]:
        """As a run's row keeps it."""
        return {
            "name": self.name,
            "version": self.version,
            "fingerprint": self.fingerprint,
            "kind": self.kind.value,
            "category": self.category,
            "priority": self.priority,
            "tenant_ids": list(self.target.tenant_ids),
            "channels": list(self.target.channels),
            "min_messages": self.target.min_messages,
            "sampling": self.sampling,
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Back from a run's row."""
        return cls(
            name=told["name"],
            version=told["version"],
            fingerprint=told["fingerprint"],
            kind=PassKind(told["kind"]),
            category=told["category"],
            priority=told["priority"],
            target=Target(tuple(told["tenant_ids"]), tuple(told["channels"]), told["min_messages"]),
            sampling=told["sampling"],
        )


@dataclass(frozen=True, slots=True)
class Filters:
    """Which segments are wanted; None leaves it open. Times are those of a segment's end."""

    since: datetime | None = None
    until: datetime | None = None
    tenant_id: str | None = None
    channel: str | None = None
    conversation_id: str | None = None

    def takes(self, sealed: SegmentSealed) -> bool:
        """Whether the segment is wanted: it ended at `since` or later, and before `until`."""
        return (
            (self.since is None or sealed.ended_at >= self.since)
            and (self.until is None or sealed.ended_at < self.until)
            and self.tenant_id in (None, sealed.tenant_id)
            and self.channel in (None, sealed.channel)
            and self.conversation_id in (None, sealed.conversation_id)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """A record of the seals topic; `sealed` is None for what is no segment."""

    partition: int
    offset: int
    sealed_at: datetime
    sealed: SegmentSealed | None


@dataclass(frozen=True, slots=True)
class Pair:
    """A wanted segment's seal, and a pass; `refusal` is why the pass is not for the segment."""

    place: int
    found: Found
    sealed: SegmentSealed
    one: BackfillPass
    refusal: NotDue | None = None


class Standing(StrEnum):
    """How a pass and a revision of a segment stand to each other."""

    NOT_CURRENT = "not_current"
    """The segment has a later revision, or was retracted."""
    OWN = "own"
    """The run has made the job already: the seal lies in the log twice."""
    COVERED = "covered"
    MISSING = "missing"
    STALE_VERSION = "stale_version"
    """There is a verdict of another version of the pass."""
    STALE_REVISION = "stale_revision"
    """There is a verdict, of an earlier revision of the segment."""
    STALE_FINGERPRINT = "stale_fingerprint"
    """There is a verdict of the same version under another fingerprint: it needs a version."""
    UNFINISHED = "unfinished"
    FAILED = "failed"
    ENDED = "ended"
    """Its job was skipped or superseded."""
    FILTERED = "filtered"
    NOT_SUBSCRIBED = "not_subscribed"
    NOT_SAMPLED = "not_sampled"
    """The last three: the pass is not for the segment."""


WANTED = frozenset({Standing.MISSING, Standing.STALE_VERSION, Standing.STALE_REVISION})
"""Those that get a job."""
UNCOUNTED = frozenset({Standing.NOT_CURRENT, Standing.OWN})
"""Those that are nobody's gap."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables know of a pair.

    `revision` is the segment's greatest; the verdict is that of the revision and the version.
    """

    revision: int | None = None
    is_retracted: bool = False
    job_state: str | None = None
    job_fingerprint: str | None = None
    job_run_id: str | None = None
    verdict_fingerprint: str | None = None
    has_other_version: bool = False
    has_other_revision: bool = False


# What a job's state says of its pair; a cancelled one is as good as none.
_BY_STATE: Final = {
    "verdict": Standing.COVERED,
    "open": Standing.UNFINISHED,
    "claimed": Standing.UNFINISHED,
    "parked": Standing.UNFINISHED,
    "failed": Standing.FAILED,
    "superseded": Standing.ENDED,
    "skipped": Standing.ENDED,
}


def standing_of(pair: Pair, known: Known, run_id: str) -> Standing:
    """Where the pair stands by what is known, for the run of that id."""
    if known.is_retracted or known.revision != pair.sealed.revision:
        return Standing.NOT_CURRENT
    if pair.refusal is not None:
        return Standing(pair.refusal.value)
    if known.job_run_id == run_id and known.job_state != "cancelled":
        return Standing.OWN
    if _is_of_other_fingerprint(pair.one, known):
        return Standing.STALE_FINGERPRINT
    if known.verdict_fingerprint is not None:
        return Standing.COVERED
    return _BY_STATE.get(known.job_state or "") or _gap(known)


def _is_of_other_fingerprint(one: BackfillPass, known: Known) -> bool:
    """Whether what the version has said, or is to say, is of another fingerprint."""
    of_job = known.job_fingerprint if known.job_state != "cancelled" else None
    return (known.verdict_fingerprint or of_job) not in (None, one.fingerprint)


def _gap(known: Known) -> Standing:
    if known.has_other_version:
        return Standing.STALE_VERSION
    return Standing.STALE_REVISION if known.has_other_revision else Standing.MISSING


@dataclass(slots=True)
class Tally:
    """How many pairs of each pass stand where, and how many segments were looked at."""

    segments: int = 0
    by_pass: dict[str, Counter[str]] = field(default_factory=dict)

    def count(self, pass_name: str, standing: Standing) -> None:
        """One pair more."""
        if standing not in UNCOUNTED:
            self.by_pass.setdefault(pass_name, Counter())[standing.value] += 1

    def add(self, other: "Tally") -> None:
        """All that another one counted."""
        self.segments += other.segments
        for name, counts in other.by_pass.items():
            self.by_pass.setdefault(name, Counter()).update(counts)

    @property
    def wanted(self) -> int:
        """How many jobs there are to be."""
        return sum(counts[one.value] for counts in self.by_pass.values() for one in WANTED)

    def to_json(self) -> dict[str, Any]:
        """As a row keeps it."""
        by_pass = {name: dict(sorted(counts.items())) for name, counts in self.by_pass.items()}
        return {"segments": self.segments, "passes": by_pass}

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Back from a row."""
        by_pass = {name: Counter(counts) for name, counts in told.get("passes", {}).items()}
        return cls(told.get("segments", 0), by_pass)


def pairs_of(
    found: Sequence[Found], passes: Iterable[BackfillPass], filters: Filters, catalog: Catalog
) -> list[Pair]:
    """Each wanted segment with each pass, in the order of the seals."""
    definitions = [(one, one.definition()) for one in passes]
    return [
        Pair(place, one, one.sealed, wanted, catalog.refusal(definition, facts_of(one.sealed)))
        for place, one in enumerate(found)
        if one.sealed is not None and filters.takes(one.sealed)
        for wanted, definition in definitions
    ]


def facts_of(sealed: SegmentSealed) -> SegmentFacts:
    """What decides about the passes of a segment."""
    return SegmentFacts(sealed.tenant_id, sealed.channel, sealed.message_count, sealed.segment_id)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in one transaction: so many records are passed, and these get jobs."""

    taken: int
    jobs: tuple[Pair, ...]
    tallies: Mapping[int, Tally]
    """By partition."""
    is_last: bool
    """Whether the run's limit is reached."""


def plan(
    found: Sequence[Found],
    judged: Sequence[tuple[Pair, Standing]],
    room: int,
    left: int | None,
) -> Plan:
    """Take records from the front, as long as there is room for all jobs of the next one.

    `left` is how many jobs the run may still make; at the last one it stops, even within a seal.
    """
    by_place: dict[int, list[tuple[Pair, Standing]]] = {}
    for pair, standing in judged:
        by_place.setdefault(pair.place, []).append((pair, standing))
    jobs: list[Pair] = []
    tallies: dict[int, Tally] = {}
    taken = 0
    for place, one in enumerate(found):
        counted = _within(by_place.get(place, ()), None if left is None else left - len(jobs))
        made = [pair for pair, standing in counted if standing in WANTED]
        if len(jobs) + len(made) > room:
            break
        tally = tallies.setdefault(one.partition, Tally())
        _count(tally, counted)
        jobs += made
        taken = place + 1
        if left is not None and len(jobs) == left:
            return Plan(taken, tuple(jobs), tallies, is_last=True)
    return Plan(taken, tuple(jobs), tallies, is_last=False)


def _within(
    pairs: Sequence[tuple[Pair, Standing]], left: int | None
) -> list[tuple[Pair, Standing]]:
    """The pairs up to the last one that may get a job."""
    taken: list[tuple[Pair, Standing]] = []
    for pair, standing in pairs:
        if standing in WANTED and left is not None:
            if left == 0:
                break
            left -= 1
        taken.append((pair, standing))
    return taken


def _count(tally: Tally, pairs: Sequence[tuple[Pair, Standing]]) -> None:
    tally.segments += any(standing not in UNCOUNTED for _, standing in pairs)
    for pair, standing in pairs:
        tally.count(pair.one.name, standing)
