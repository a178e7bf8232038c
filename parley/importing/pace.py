"""Holds an import back while the log's consumers lag, so that live work is not delayed."""

import asyncio
from collections.abc import Callable
from typing import Final

from parley import clock
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError

_SQL: Final = load(__package__)
# Those that read the events topic, by their names in their fences.
_CONSUMERS: Final = ("persister", "sealer")
POLL_S: Final = 0.25
STALLED_AFTER_S: Final = 10.0


class Pace:
    """Lets records into a partition as long as its consumers are within `max_lag` of its end.

    What is live waits behind at most that many records of imports. Consumers are known by their
    fences: one that never read the topic is not waited for. A `max_lag` of 0 waits for nobody.
    """

    def __init__(
        self,
        pool: Pool,
        topic: str,
        incarnation: str,
        max_lag: int,
        tell: Callable[[str], None],
    ) -> None:
        self._pool = pool
        self._topic = topic
        self._incarnation = incarnation
        self._max_lag = max_lag
        self._tell = tell
        self._read: dict[int, int] = {}
        self._stopped: dict[int, str] = {}
        self._looked = asyncio.Condition()
        self._waiting: set[int] = set()
        self._moved_at_s = clock.monotonic()
        self._has_told = False

    async def watch(self) -> None:
        """Look at the fences, until cancelled; a database that is away a while is waited for."""
        while self._max_lag:
            try:
                await self._look()
            except Exception as error:
                if not is_transient(error):
                    raise
            self._tell_if_stalled()
            await asyncio.sleep(POLL_S)

    async def room(self, partition: int, end_offset: int) -> None:
        """Return once the partition, which ends there, may have more; raises UserError."""
        if not self._is_behind(partition, end_offset):
            return
        self._waiting.add(partition)
        async with self._looked:
            while self._is_behind(partition, end_offset):
                self._refuse_stopped(partition)
                await self._looked.wait()
        self._waiting.discard(partition)

    def _is_behind(self, partition: int, end_offset: int) -> bool:
        read = self._read.get(partition)
        return bool(self._max_lag) and read is not None and end_offset - read > self._max_lag

    def _refuse_stopped(self, partition: int) -> None:
        reason = self._stopped.get(partition)
        if reason is not None:
            raise UserError(
                f"A consumer has stopped partition {partition} of {self._topic}: {reason}.",
                "See `parley doctor`. Then run the same command again: it goes on where it was. "
                "With --max-lag 0 it would not wait for anybody.",
            )

    async def _look(self) -> None:
        rows = await self._pool.fetch(
            _SQL["least_read"], self._topic, self._incarnation, list(_CONSUMERS)
        )
        read = {row["partition"]: row["next_offset"] for row in rows}
        if read != self._read:
            self._moved_at_s = clock.monotonic()
        async with self._looked:
            self._read = read
            self._stopped = {
                row["partition"]: row["stopped_reason"] for row in rows if row["stopped_reason"]
            }
            self._looked.notify_all()

    def _tell_if_stalled(self) -> None:
        stands_for_s = clock.monotonic() - self._moved_at_s
        if self._waiting and not self._has_told and stands_for_s >= STALLED_AFTER_S:
            self._has_told = True
            self._tell(
                f"the import waits for the persister and the sealer, which have read nothing for "
                f"{STALLED_AFTER_S:.0f} s: are they running? `parley status` shows it; Ctrl-C "
                "leaves the import where it is, and the same command goes on"
            )
