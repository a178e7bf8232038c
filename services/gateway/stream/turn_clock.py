"""The time, asked once in a turn of the loop: what one turn reads had come before it began."""

import asyncio
from datetime import datetime

from parley import clock


class TurnClock:
    """Tells all who ask in one turn the same moment, whose bytes then need be written once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._moment: datetime | None = None

    def now(self) -> datetime:
        """The wall clock, in UTC, as it was when somebody first asked in this turn."""
        moment = self._moment
        if moment is None:
            moment = self._moment = clock.now()
            self._loop.call_soon(self._forget)
        return moment

    def _forget(self) -> None:
        self._moment = None
