"""Says how long a delivery rests after a failure, and when it is given up."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

# A receiver that refuses what it is sent will refuse it again; others may only be away.
REFUSED_ATTEMPTS: Final = 5
# From so many failures in a row on a receiver is asked by one request at a time.
FAILURES_UNTIL_PROBED: Final = 5
_TRY_LATER: Final = frozenset((408, 409, 425, 429))
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Resting:
    """How often it is tried, and the first and the longest rest between two attempts."""

    attempts: int
    first: timedelta
    longest: timedelta

    def rest(self, failures: int, share: float) -> timedelta:
        """How long to wait after so many failures, doubling with each.

        `share`, from 0 to 1, spreads those that failed at one moment over the wait's second half.
        """
        whole: timedelta = min(self.first * 2 ** min(failures - 1, 30), self.longest)
        return timedelta(seconds=whole.total_seconds() * (0.5 + share / 2))

    def is_given_up(self, attempts: int, status: int | None) -> bool:
        """Whether a delivery is not tried again after so many attempts, the last one with this."""
        return attempts >= (REFUSED_ATTEMPTS if is_refusal(status) else self.attempts)


def is_refusal(status: int | None) -> bool:
    """Whether the receiver answered that it will not take it: redirects are not followed."""
    return status is not None and 300 <= status < 500 and status not in _TRY_LATER  # noqa: PLR2004


def is_gone(status: int | None) -> bool:
    """Whether the receiver says that it is no more, and wants nothing ever again."""
    return status == _GONE
