"""Decides when a model that does not answer is left alone, and when it is asked again."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

NO_REST: Final = timedelta(0)
# Beyond it a doubled rest is longer than any that is allowed.
_MOST_DOUBLINGS: Final = 30


class CircuitState(StrEnum):
    """Whether a model is asked: as often as wanted, not at all, or once, to see."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class CircuitRules:
    """How many failures in a row open it, and for how long; that doubles with each opening."""

    failures: int
    first_rest: timedelta
    longest_rest: timedelta


@dataclass(frozen=True, slots=True)
class Circuit:
    """What is known of a model's failures since it last answered."""

    failure_count: int = 0
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

    def failed(self, now: datetime, rules: CircuitRules, retry_after: timedelta) -> "Circuit":
        """The model was not available; it asked not to be called for `retry_after`.

        Calls that began before it opened, and fail while it is open, open it no further.
        """
        count = self.failure_count + 1
        if self.state(now) is CircuitState.OPEN and self.open_until is not None:
            until = max(self.open_until, now + min(retry_after, rules.longest_rest))
            return replace(self, failure_count=count, open_until=until)
        if self.state(now) is CircuitState.CLOSED and count < rules.failures:
            return replace(self, failure_count=count)
        rest = rest_after(self.opening_count, rules.first_rest, rules.longest_rest)
        until = now + min(max(rest, retry_after), rules.longest_rest)
        return Circuit(count, self.opening_count + 1, until)


def rest_after(count: int, first: timedelta, longest: timedelta) -> timedelta:
    """The rest after `count` earlier ones: it doubles with each."""
    return min(first * (1 << min(count, _MOST_DOUBLINGS)), longest)


def with_jitter(rest: timedelta, retry_after: timedelta, chance: float) -> timedelta:
    """Any part of the rest, by a chance from 0 to 1, after what the provider asked for.

    Full jitter: jobs that failed together come back apart.
    """
    return retry_after + rest * chance
