"""Says how long to wait before the next attempt."""

import random
from typing import Final

FIRST_S: Final = 0.1
LONGEST_S: Final = 10.0


class Backoff:
    """Delays that double from 0.1 s to 10 s, each drawn from its upper half.

    Drawn, so that the clients of a gateway that went away do not come back all at once.
    """

    def __init__(self, first_s: float = FIRST_S, longest_s: float = LONGEST_S) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._attempts = 0

    def next_s(self) -> float:
        """Seconds until the next attempt."""
        # Past 2 ** 20 everything is the longest.
        delay_s = min(self._longest_s, self._first_s * 2.0 ** min(self._attempts, 20))
        self._attempts += 1
        return delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, hides nothing

    def reset(self) -> None:
        """It worked: begin anew."""
        self._attempts = 0
