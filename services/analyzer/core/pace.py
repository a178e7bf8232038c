"""Decides how many jobs are claimed ahead of the calls that are under way.

With a model that answers in a millisecond a claim for each answer would cost more than the answers.
With one that takes seconds, what is claimed ahead would only wait, and another worker has time.
"""

from collections import deque
from typing import Final

LOOKS_BACK_S: Final = 0.1
# A claim is for so many at least, as a part of what may be claimed ahead.
LEAST_PART: Final = 2


class Pace:
    """How many verdicts there were just now; `most` is the most that are claimed ahead."""

    def __init__(self, most: int) -> None:
        self._ended_at_s: deque[float] = deque(maxlen=most)

    def ended(self, now_s: float) -> None:
        """A job has ended with a verdict."""
        self._ended_at_s.append(now_s)

    def ahead(self, now_s: float) -> int:
        """As many as ended in the last tenth of a second."""
        return sum(at_s > now_s - LOOKS_BACK_S for at_s in self._ended_at_s)

    def is_worth_a_claim(self, free: int, now_s: float) -> bool:
        """Whether there is room for enough jobs: for one, where few have ended."""
        return free >= max(1, self.ahead(now_s) // LEAST_PART)
