"""Decides when a model that does not answer is left alone, and when it is asked again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

NO_REST: Final = timedelta(0)
# What no text can bring about: too many calls, and no connection.
BLAMELESS: Final = frozenset(("rate_limited", "unreachable"))
# Of so many segments it is remembered at least that the model did not answer over them.
MOST_BLAMED: Final = 64
# Beyond it a doubled rest is longer than any that is allowed.
_MOST_DOUBLINGS: Final = 30


class CircuitState(StrEnum):
    """Whether a model is asked: as often as wanted, not at all, or once, to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """How many failures in a row open it, and for how long; that doubles with each opening.

    Those over one segment count once: it may be the segment's fault.
    """

    failures: int
    first_rest: timedelta
    longest_rest: timedelta


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a model's failures since it last answered.

    `blamed` are the segments over which it failed, in the order of their first time, and
    `unblamed_count` counts the failures that are none of theirs.
    """

    failure_count: int = 0
    unblamed_count: int = 0
    blamed: tuple[str, ...] = ()
    opening_count: int = 0
    open_until: datetime | None = None
    is_probing: bool = False

    def state(self, now: datetime) -> CircuitState:
        """An open circuit is half open once its rest is over."""
        if self.open_until is None:
            return CircuitState.CLOSED
        return CircuitState.OPEN if now < self.open_until else CircuitState.HALF_OPEN

    def free_calls(self, now: datetime, most: int) -> int:
        """How many calls may begin, of `most` that there is room for."""
        match self.state(now):
            case CircuitState.CLOSED:
                return most
            case CircuitState.OPEN:
                return 0
            case CircuitState.HALF_OPEN:
                return 0 if self.is_probing else min(1, most)

    def probing(self, now: datetime) -> "Circuit":
        """A job is about to ask: of a half-open one nobody else does meanwhile."""
        return replace(self, is_probing=self.state(now) is CircuitState.HALF_OPEN)

    def undecided(self) -> "Circuit":
        """The job ended without having asked."""
        return replace(self, is_probing=False)

    def answered(self) -> "Circuit":
        """The model answered, whatever it said."""
        return Circuit()

    def failed(
        self,
        now: datetime,
        rules: CircuitRules,
        retry_after: timedelta,
        segment_id: str | None = None,
    ) -> "Circuit":
        """The model was not available; it asked not to be called for `retry_after`.

        `segment_id` is None where no segment can be to blame. Calls that began before it opened,
        and fail while it is open, open it no further.
        """
        counted = self._counted(rules, segment_id)
        if self.state(now) is CircuitState.OPEN and self.open_until is not None:
            until = max(self.open_until, now + min(retry_after, rules.longest_rest))
            return replace(counted, open_until=until)
        is_closed = self.state(now) is CircuitState.CLOSED
        if is_closed and counted.unblamed_count + len(counted.blamed) < rules.failures:
            return counted
        rest = rest_after(self.opening_count, rules.first_rest, rules.longest_rest)
        until = now + min(max(rest, retry_after), rules.longest_rest)
        opened = replace(counted, opening_count=self.opening_count + 1, open_until=until)
        return replace(opened, is_probing=False)

    def _counted(self, rules: CircuitRules, segment_id: str | None) -> "Circuit":
        counted = replace(self, failure_count=self.failure_count + 1)
        if segment_id is None:
            return replace(counted, unblamed_count=self.unblamed_count + 1)
        if segment_id in self.blamed:
            return counted
        most = max(rules.failures, MOST_BLAMED)
        return replace(counted, blamed=(*self.blamed, segment_id)[-most:])


def rest_after(count: int, first: timedelta, longest: timedelta) -> timedelta:
    """The rest after `count` earlier ones: it doubles with each."""
    return min(first * (1 << min(count, _MOST_DOUBLINGS)), longest)


def with_jitter(rest: timedelta, retry_after: timedelta, chance: float) -> timedelta:
    """Any part of the rest, by a chance from 0 to 1, after what the provider asked for.

    Full jitter: jobs that failed together come back apart.
    """
    return retry_after + rest * chance
