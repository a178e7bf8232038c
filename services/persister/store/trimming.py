"""Deletes what was kept long enough, and gathers what need not be known by the minute any more."""

import asyncio
from datetime import timedelta
from typing import Final

import structlog

from parley.db.errors import is_transient
from parley.db.pool import Pool
from services.persister.store.copying import SQL

log = structlog.get_logger(__name__)

TRIM_EVERY_S: Final = 600.0
# `parley ledger` shows minutes this far back, and hours before.
MINUTES_KEPT: Final = timedelta(days=30)
_NOTHING: Final = ("DELETE 0", "INSERT 0 0")


class Trimming:
    """Runs beside the consumers; several processes may do so at once."""

    def __init__(self, pool: Pool, discarded_kept: timedelta) -> None:
        self._pool = pool
        self._discarded_kept = discarded_kept

    async def run(self, stop: asyncio.Event) -> None:
        """Trim now and every ten minutes, until `stop`."""
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                await self._trim(stop)
                await asyncio.wait({stopping}, timeout=TRIM_EVERY_S)
        finally:
            stopping.cancel()

    async def _trim(self, stop: asyncio.Event) -> None:
        try:
            await self._all("trim_discarded", self._discarded_kept, stop)
            await self._all("gather_minutes", MINUTES_KEPT, stop)
        except Exception as error:
            if not is_transient(error):
                raise
            # The consumers say that the database is away; ten minutes later is soon enough.
            log.warning("trimming_waits", error=type(error).__name__)

    async def _all(self, query: str, age: timedelta, stop: asyncio.Event) -> None:
        """One portion after the other, until there is nothing more."""
        while not stop.is_set() and await self._pool.execute(SQL[query], age) not in _NOTHING:
            pass
