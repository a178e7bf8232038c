"""Reads how far the passes in force have come, and which verdicts single segments lack."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from parley.db.pool import Pool
from parley.passes.catalog import Catalog
from parley.passes.stored import stored_catalog
from parley.passes.suspended import suspended_passes
from parley.results.lacking import Lack, Row, lacking
from parley.results.passes import passes_json
from parley.results.reading import SQL

SEGMENTS_A_READ = 500


@dataclass(frozen=True, slots=True)
class Period:
    """Segments that ended at `since` or later, and before `until`."""

    since: datetime
    until: datetime


async def coverage(
    pool: Pool, tenant_ids: Sequence[str], period: Period, pass_name: str | None = None
) -> list[Row]:
    """By pass in force and day, where its segments stand; the latest day first."""
    catalog = await stored_catalog(pool)
    arguments = coverage_arguments(catalog, tenant_ids, period, pass_name)
    rows: list[Row] = await pool.fetch(SQL["coverage"], *arguments)
    return rows


def coverage_arguments(
    catalog: Catalog, tenant_ids: Sequence[str], period: Period, pass_name: str | None
) -> tuple[Any, ...]:
    """The parameters of the query `coverage`, for who runs it by other means."""
    return (passes_json(catalog, tenant_ids), period.since, period.until, pass_name)


async def tenants(pool: Pool) -> list[str]:
    """Whose segments there are."""
    return [row["tenant_id"] for row in await pool.fetch(SQL["tenants"])]


@dataclass(frozen=True, slots=True)
class Lacking:
    """A segment as it stands, and a verdict that it does not have."""

    segment: Row
    lack: Lack


async def missing(
    pool: Pool, tenant_id: str, conversation_id: str | None, since: datetime | None
) -> AsyncIterator[Lacking]:
    """What segments lack, the latest segment first."""
    catalog, suspended = await stored_catalog(pool), await suspended_passes(pool)
    place: tuple[Any, Any] = (None, None)
    while True:
        rows = await pool.fetch(
            SQL["standing_segments"], tenant_id, conversation_id, since, *place, SEGMENTS_A_READ
        )
        verdicts, jobs = await _of_segments(pool, tenant_id, rows)
        for row in rows:
            own = row["segment_id"]
            for lack in lacking(catalog, row, verdicts[own], jobs[own], suspended):
                yield Lacking(row, lack)
        if len(rows) < SEGMENTS_A_READ:
            return
        place = (rows[-1]["ended_at"], rows[-1]["segment_id"])


async def _of_segments(
    pool: Pool, tenant_id: str, segments: Sequence[Row]
) -> tuple[dict[Any, list[Row]], dict[Any, list[Row]]]:
    ids = [row["segment_id"] for row in segments]
    found: list[dict[Any, list[Row]]] = []
    for query in ("verdicts_of", "jobs_of"):
        by_segment: dict[Any, list[Row]] = defaultdict(list)
        for row in await pool.fetch(SQL[query], tenant_id, ids):
            by_segment[row["segment_id"]].append(row)
        found.append(by_segment)
    return found[0], found[1]
