"""Backfills of one tenant's segments: rows that analyzers act upon."""

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from parley.backfilling import runs
from parley.backfilling.choosing import choose
from parley.backfilling.request import BackfillRequest
from parley.backfilling.runs import Act, Progress, Run
from parley.db.pool import Pool
from parley.passes.stored import stored_catalog

Result = TypeVar("Result")


class UnlessAway(Protocol):
    """Awaits something of PostgreSQL; raises StoreUnavailable where it is away."""

    async def __call__(self, work: Awaitable[Result], /) -> Result:
        """What came out."""
        ...


class Backfills:
    """The runs that filter by the tenant who asks; a run over all tenants is nobody's here."""

    def __init__(self, pool: Pool, unless_away: UnlessAway) -> None:
        self._pool = pool
        self._unless_away = unless_away

    async def begin(
        self,
        names: Sequence[str],
        request: BackfillRequest,
        by: str,
        run_id: str | None,
        *,
        takes_all: bool,
    ) -> Progress:
        """Write the run; raises UserError for what cannot be done, and StoreUnavailable."""
        return await self._unless_away(self._begin(names, request, by, run_id, takes_all=takes_all))

    async def newest(self, tenant_id: str, limit: int) -> list[Progress]:
        """The newest runs; raises StoreUnavailable."""
        return await self._unless_away(self._newest(tenant_id, limit))

    async def one(self, tenant_id: str, run_id: str) -> Progress | None:
        """A run; None where the tenant has none of that id. Raises StoreUnavailable."""
        return await self._unless_away(self._one(tenant_id, run_id))

    async def act(self, run_id: str, wanted: Act, by: str) -> bool:
        """Tell the analyzers; False where the run is in no state for it."""
        return await self._unless_away(runs.act(self._pool, run_id, wanted, by))

    async def _begin(
        self,
        names: Sequence[str],
        request: BackfillRequest,
        by: str,
        run_id: str | None,
        *,
        takes_all: bool,
    ) -> Progress:
        catalog = await stored_catalog(self._pool)
        whole = replace(request, passes=choose(catalog, names, takes_all=takes_all))
        begun = await runs.start(self._pool, whole, by, run_id)
        run = await runs.run(self._pool, begun)
        assert run is not None  # noqa: S101 - runs are never deleted
        return await self._progress(run)

    async def _newest(self, tenant_id: str, limit: int) -> list[Progress]:
        return await runs.progress(self._pool, await runs.runs(self._pool, tenant_id, limit))

    async def _one(self, tenant_id: str, run_id: str) -> Progress | None:
        run = await runs.run(self._pool, run_id, tenant_id)
        return None if run is None else await self._progress(run)

    async def _progress(self, run: Run) -> Progress:
        (found,) = await runs.progress(self._pool, [run])
        return found
