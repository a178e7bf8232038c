"""Runs that wait, for a pass, for money, or for somebody, and what becomes of their jobs."""

import asyncio
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley.backfilling import runs
from parley.passes.catalog import Catalog
from parley.settings import Settings
from services.analyzer.backfilling import Backfills
from services.analyzer.backfilling.slices import (
    SliceStore,
    Wait,
    Written,
)
from services.analyzer.settings import AnalyzerSettings
from tests.integration.backfilling.past import NEW
from tests.integration.backfilling.slicing import SEALS, Late, claim, found
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def park(pool: Any, reason: str) -> None:
    await pool.execute("UPDATE operations.jobs SET state = 'parked', reason = $1", reason)


async def test_parked_jobs_leave_room_for_others_unless_the_runs_own_budget_parked_them(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    await pool.execute("UPDATE operations.backfill_runs SET concurrency = 4")
    held = await claim(pool, slices, run_id)
    assert isinstance(await slices.write(held, found()[:4], Catalog()), Written)
    assert await slices.write(held, found(4), Catalog()) == Wait(0.1, "concurrency")
    # All that comes after it could only be parked as well.
    await park(pool, "budget_of_backfill")
    assert await slices.write(held, found(4), Catalog()) == Wait(0.1, "concurrency")
    for reason, taken in (("no_provider", 4), ("budget", 2)):
        await park(pool, reason)
        written = await slices.write(held, found(held.expected[0]), Catalog())
        assert isinstance(written, Written)
        assert written.taken == taken


async def suspend(pool: Any) -> None:
    await pool.execute(
        "INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)"
        " VALUES ($1, $2, 1, 'bad_key')",
        *(NEW.fingerprint, NEW.name),
    )


async def test_jobs_of_a_suspended_pass_leave_room_for_others(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    await pool.execute("UPDATE operations.backfill_runs SET concurrency = 4")
    held = await claim(pool, slices, run_id)
    await slices.write(held, found()[:4], Catalog())
    await suspend(pool)
    written = await slices.write(held, found(4), Catalog())
    assert isinstance(written, Written)
    assert written.taken == 4


async def test_a_run_says_that_it_waits_for_a_suspended_pass(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    await slices.write(held, found(), Catalog())
    (shown,) = await runs.progress(pool, await runs.runs(pool))
    assert shown.suspended == ()
    await suspend(pool)
    (shown,) = await runs.progress(pool, await runs.runs(pool))
    (why,) = shown.suspended
    assert (why.pass_name, why.reason, why.is_everywhere) == (NEW.name, "bad_key", True)


async def test_a_run_whose_budget_is_spent_is_paused_and_counted_until_it_is_given_more(
    pool: Any, slices: SliceStore, run_id: str, settings: Settings
) -> None:
    held = await claim(pool, slices, run_id)
    await slices.write(held, found(), Catalog())
    await pool.execute(
        "UPDATE operations.backfill_runs SET budget_micro_usd = 100, enqueued_at = now()"
    )
    await pool.execute(
        "INSERT INTO operations.run_spend (backfill_run_id, spent_micro_usd) VALUES ($1, 80)",
        run_id,
    )
    await park(pool, "budget_of_backfill")
    await pool.execute("UPDATE operations.jobs SET estimated_micro_usd = 21")
    own = AnalyzerSettings(**settings.model_dump())
    backfills = Backfills(own, pool, Late(), "w", lambda: None, lambda _: None)
    stop = asyncio.Event()
    task = asyncio.create_task(backfills.run(stop))
    try:
        await eventually(spent_count, timeout=10)
        run = await runs.run(pool, run_id)
        assert run is not None
        assert (run.state, run.reason) == (runs.RunState.PAUSED, "its budget is spent")
        assert await runs.act(pool, run_id, runs.Act.RESUME, "tester", 200)

        async def is_over() -> bool:
            return await spent_count() == 0

        await eventually(is_over, timeout=10)
    finally:
        stop.set()
        await task


async def spent_count() -> float:
    return REGISTRY.get_sample_value("parley_backfill_spent_runs") or 0.0


async def test_stored_segments_are_counted_from_none_to_all_in_either_order(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    for newest_first in (False, True):
        await pool.execute(
            "UPDATE operations.backfill_runs SET is_from_segments = true, is_newest_first = $1",
            newest_first,
        )
        for place in (0, 3, SEALS):
            await pool.execute("UPDATE operations.backfill_partitions SET next_offset = $1", place)
            (shown,) = await runs.progress(pool, await runs.runs(pool))
            assert (shown.passed, shown.total) == (place, SEALS)


async def test_a_paused_run_that_is_stopped_lets_go_of_its_jobs_and_none_is_held_after_it(
    pool: Any, slices: SliceStore, run_id: str, settings: Settings
) -> None:
    held = await claim(pool, slices, run_id)
    await slices.write(held, found(), Catalog())
    await runs.act(pool, run_id, runs.Act.PAUSE, "tester")
    own = AnalyzerSettings(**settings.model_dump())
    backfills = Backfills(own, pool, Late(), "w", lambda: None, lambda _: None)
    (paused,) = await runs.runs(pool)
    await backfills.look_at(paused, asyncio.Event())
    assert await held_count(pool) == SEALS
    await backfills.stop(paused, "it is another log")
    assert await held_count(pool) == 0
    # Another analyzer saw it paused, a moment before.
    await backfills.look_at(paused, asyncio.Event())
    assert await held_count(pool) == 0


async def held_count(pool: Any) -> int:
    count: int = await pool.fetchval(
        "SELECT count(*) FROM operations.jobs WHERE state = 'open' AND due_at = 'infinity'"
    )
    return count
