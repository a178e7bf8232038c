"""How many events were acknowledged in each of the last minutes, by this gateway's clock."""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from parley import clock

MINUTES_KEPT: Final = 7 * 24 * 60


class Acknowledged:
    """Counts in memory: a gateway that is killed takes them along, so they are a lower bound."""

    def __init__(self) -> None:
        self.since = clock.now()
        self._counts: OrderedDict[datetime, int] = OrderedDict()

    def add(self, count: int) -> None:
        """So many clients were just told that what they said is durable."""
        minute = clock.now().replace(second=0, microsecond=0)
        self._counts[minute] = self._counts.get(minute, 0) + count
        if len(self._counts) > MINUTES_KEPT:
            oldest, _ = self._counts.popitem(last=False)
            self.since = oldest + timedelta(minutes=1)

    def between(self, since: datetime, until: datetime) -> int:
        """Those of the minutes that began from `since` on and before `until`."""
        return sum(count for minute, count in self._counts.items() if since <= minute < until)
