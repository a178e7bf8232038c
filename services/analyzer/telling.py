"""Says in the tables which passes this analyzer leaves to others, as long as it runs."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from parley.db.errors import is_transient
from parley.db.pool import Pool
from services.analyzer.core.suspensions import Suspension
from services.analyzer.in_force import PassesInForce
from services.analyzer.observing import rest
from services.analyzer.store.rows import SQL, columns

log = structlog.get_logger(__name__)

# Often enough for who takes silence of 30 seconds for its end.
TELL_EVERY_S: Final = 5.0


class Telling:
    """Keeps the rows of one analyzer; commands read them, and nobody claims by them."""

    def __init__(self, pool: Pool, worker_id: str, passes: PassesInForce) -> None:
        self._pool = pool
        self._worker_id = worker_id
        self._passes = passes
        self._told: set[Suspension] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Say it until `stop`."""
        while not stop.is_set():
            try:
                await self.tell()
            except Exception as error:
                if not is_transient(error):
                    raise
                log.warning("suspensions_not_told", error=type(error).__name__)
            await rest(stop, TELL_EVERY_S)

    async def tell(self) -> None:
        """Write what is so now, and forget what was."""
        found = sorted(await self._found(), key=str)
        fingerprints = [one.fingerprint for one in found]
        await self._pool.execute(SQL["forget_foreign"], self._worker_id, fingerprints)
        if found:
            rows = [(one.fingerprint, one.pass_name, one.pass_version, one.reason) for one in found]
            await self._pool.execute(SQL["tell_foreign"], self._worker_id, *columns(rows))
        self._log(found)

    async def _found(self) -> set[Suspension]:
        """What is in force, and what is not any more but has jobs that wait."""
        in_force = set(self._passes.suspended)
        former = self._passes.left_alone() - in_force
        if not former:
            return in_force
        rows = await self._pool.fetch(SQL["with_open_jobs"], [one.fingerprint for one in former])
        waiting = {row["fingerprint"] for row in rows}
        return in_force | {one for one in former if one.fingerprint in waiting}

    def _log(self, found: Sequence[Suspension]) -> None:
        """Once for each; those in force were told of when they came."""
        for one in set(found) - self._told - self._passes.suspended:
            log.warning(
                "jobs_left_alone",
                pass_name=one.pass_name,
                pass_version=one.pass_version,
                reason=one.reason,
            )
        self._told = set(found)
