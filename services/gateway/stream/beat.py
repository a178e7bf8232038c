"""When batches leave: those of all partitions together, and not too often."""

import asyncio
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Final

INTERVAL_S: Final = 0.005
# So long one batch that is slow to come back holds up the others.
PATIENCE_S: Final = 0.012
# So many records bear what a request costs, and need wait for no others.
ENOUGH: Final = 40


class Beat:
    """Releases all who wait for it at once: so their batches share one request to the broker.

    Requests cost more than the records in them, and a broker takes one after the other. So who
    comes while batches are under way waits until they are back, at most for the patience. After
    a silence nobody waits; otherwise at least an interval lies between two beats, unless there
    are records enough for a request when the last one's are back.
    """

    def __init__(
        self,
        interval_s: float = INTERVAL_S,
        patience_s: float = PATIENCE_S,
        enough: int = ENOUGH,
    ) -> None:
        self._interval_s = interval_s
        self._patience_s = patience_s
        self._enough = enough
        self._loop = asyncio.get_running_loop()
        self._last_s = float("-inf")
        # Those who wait, and what each will send; who is cancelled leaves the beat to the others.
        self._waiting: list[tuple[asyncio.Future[None], Sized]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._under_way = 0

    async def next(self, records: Sized = ()) -> None:
        """Wait for the next beat, to send these and what is added to them until then."""
        if not self._waiting:
            self._release_at(self._last_s + self._interval_s)
        mine = self._loop.create_future()
        self._waiting.append((mine, records))
        self._hurry()
        await mine

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """While a batch is sent that has waited for its beat."""
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way and self._waiting:
                self._release_at(self._last_s + self._interval_s)
                self._hurry()

    def _hurry(self) -> None:
        """Let those go who wait with enough for a request, once nothing is under way."""
        if self._under_way:
            return
        if sum(len(records) for _, records in self._waiting) >= self._enough:
            self._release_at(self._last_s)

    def _release_at(self, moment_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(moment_s, self._release)

    def _release(self) -> None:
        self._timer = None
        now_s = self._loop.time()
        if self._under_way and now_s < self._last_s + self._patience_s:
            self._release_at(self._last_s + self._patience_s)
            return
        self._last_s = now_s
        released, self._waiting = self._waiting, []
        for one, _ in released:
            if not one.done():
                one.set_result(None)
