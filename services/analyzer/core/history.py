"""Folds what the analyses topic says of jobs: how often they were tried, and whether they ended."""

from collections.abc import Iterable
from typing import NamedTuple

from parley.analyses import (
    Analysis,
    AttemptStarted,
    Charge,
    ChargeRecorded,
    JobEnded,
    JobKey,
    JobReopened,
)
from services.analyzer.core.outcomes import JobState


class Standing(NamedTuple):
    """Where a job stands as far as the topic tells; only `open` is no end."""

    state: str
    reason: str
    generation: int
    attempt_count: int
    failure_count: int
    released_count: int

    def then(self, other: "Standing") -> "Standing":
        """After another record: it may be one that was read before.

        A later generation counts whatever there was; within one the first end does.
        """
        attempts = max(self.attempt_count, other.attempt_count)
        released = max(self.released_count, other.released_count)
        if other.generation > self.generation:
            return other._replace(attempt_count=attempts, released_count=released)
        if other.generation < self.generation:
            return self._replace(attempt_count=attempts, released_count=released)
        first = other if self.state == JobState.OPEN else self
        failures = max(self.failure_count, other.failure_count)
        return Standing(first.state, first.reason, self.generation, attempts, failures, released)


def standing(told: Analysis) -> Standing | None:
    """What one record says of its job; None where it is about money alone."""
    match told:
        case AttemptStarted():
            counts = (told.attempt, told.failure_count, told.released_count)
            return Standing(JobState.OPEN, "", told.generation, *counts)
        case JobReopened():
            counts = (told.attempt_count, 0, told.attempt_count)
            return Standing(JobState.OPEN, "", told.generation, *counts)
        case JobEnded():
            return Standing(told.end, told.reason, told.generation, told.attempt_count, 0, 0)
        case ChargeRecorded():
            return None


def fold(told: Iterable[Analysis]) -> dict[JobKey, Standing]:
    """Where each job stands after these records, which are in order."""
    found: dict[JobKey, Standing] = {}
    for one in told:
        said = standing(one)
        if said is not None:
            key = one.job.key
            found[key] = found[key].then(said) if key in found else said
    return found


def charges_of(told: Iterable[Analysis]) -> list[ChargeRecorded]:
    """Each charge once, settled where one of the records says so."""
    found: dict[str, ChargeRecorded] = {}
    for one in told:
        for charge in _charges(one):
            known = found.get(charge.reservation_id)
            if known is None or known.charge.actual_micro_usd is None:
                found[charge.reservation_id] = ChargeRecorded(one.job, charge)
    return list(found.values())


def _charges(told: Analysis) -> tuple[Charge, ...]:
    match told:
        case ChargeRecorded():
            return (told.charge,)
        case JobEnded():
            return told.charges
        case _:
            return ()
