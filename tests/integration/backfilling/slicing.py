"""A run over one partition of ten seals, of which slices are claimed and written."""

from datetime import UTC, datetime
from typing import Any

from parley.backfilling import runs
from parley.backfilling.core import Found
from parley.config import ConfigChange
from parley.passes.applied import Subscription
from parley.passes.catalog import Catalog
from services.analyzer.backfilling.slices import (
    SliceStore,
)
from tests.integration.analyzer.stage import sealed, talk
from tests.integration.backfilling.past import NEW, conversations

INCARNATION = "seals"
SEALS = 10
NAMES = conversations(SEALS)


def found(begin: int = 0) -> list[Found]:
    """The seals of the partition from there on."""
    now = datetime.now(UTC)
    return [
        Found(0, offset, now, sealed(name, talk(name)))
        for offset, name in enumerate(NAMES)
        if offset >= begin
    ]


async def claim(pool: Any, slices: SliceStore, run_id: str) -> Any:
    run = await runs.run(pool, run_id)
    assert run is not None
    held = await slices.claim(run)
    assert held is not None
    return held


async def lapse(pool: Any) -> None:
    """Let the leases run out."""
    await pool.execute(
        "UPDATE operations.backfill_partitions SET leased_until = now() - interval '1 s'"
    )


async def progress(pool: Any) -> tuple[int, int, int]:
    """Where the partition stands, what it counted, and how many jobs there are."""
    row = await pool.fetchrow("SELECT next_offset, counts FROM operations.backfill_partitions")
    run = (await runs.progress(pool, await runs.runs(pool)))[0]
    jobs = await pool.fetchval("SELECT count(*) FROM operations.jobs")
    return row["next_offset"], run.tally.wanted, jobs


class Late:
    """A view of the config topic that reconnects: it knows what a tenant wants once caught up."""

    def __init__(self) -> None:
        self.catalog = Catalog()

    async def catch_up(self) -> None:
        body = Subscription(NEW.name, is_category=False, is_enabled=False)
        self.catalog.apply(ConfigChange("default", "tester", datetime.now(UTC), body))
