"""When batches leave: those of all partitions together, and not too often."""

import asyncio
from typing import Final

INTERVAL_S: Final = 0.003


class Beat:
    """Releases all who wait for it at once: so their batches share one request to the broker.

    Requests cost more than the records in them. After a silence nobody waits; otherwise at most
    an interval, which is less than what Kafka takes.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._last_s = float("-inf")
        self._next: asyncio.Future[None] | None = None

    async def next(self) -> None:
        """Wait for the next beat."""
        if self._next is None:
            self._next = self._loop.create_future()
            self._loop.call_at(self._last_s + self._interval_s, self._release)
        # Who is cancelled leaves the beat to the others.
        await asyncio.shield(self._next)

    def _release(self) -> None:
        self._last_s = self._loop.time()
        released, self._next = self._next, None
        if released is not None:
            released.set_result(None)
