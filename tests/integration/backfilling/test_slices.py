"""A slice is written by who holds the partition, once, and by nobody else."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from parley.backfilling import runs
from parley.backfilling.core import Found
from parley.backfilling.sources import LogSource
from parley.passes.catalog import Catalog
from parley.settings import Settings
from services.analyzer.backfilling.replaying import Replay
from services.analyzer.backfilling.slices import (
    NotRunning,
    OtherLog,
    ProgressLost,
    SliceStore,
    Wait,
    Written,
)
from services.analyzer.settings import AnalyzerSettings
from tests.integration.backfilling.slicing import (
    INCARNATION,
    SEALS,
    Late,
    claim,
    found,
    lapse,
    progress,
)

pytestmark = pytest.mark.integration


async def test_an_act_that_is_refused_changes_no_budget(pool: Any, run_id: str) -> None:
    async def budget() -> int | None:
        run = await runs.run(pool, run_id)
        assert run is not None
        return run.budget_micro_usd

    # It runs already.
    assert not await runs.act(pool, run_id, runs.Act.RESUME, "tester", 5)
    assert await budget() is None
    assert await runs.act(pool, run_id, runs.Act.PAUSE, "tester")
    assert await runs.act(pool, run_id, runs.Act.RESUME, "tester", 5)
    assert await budget() == 5
    assert await runs.act(pool, run_id, runs.Act.PAUSE, "tester")
    assert await budget() == 5
    await pool.execute("UPDATE operations.backfill_runs SET state = 'finished'")
    assert not await runs.act(pool, run_id, runs.Act.RESUME, "tester", 9)
    assert await budget() == 5


async def test_a_slice_moves_the_progress_and_makes_its_jobs(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    written = await slices.write(held, found()[:4], Catalog())
    assert isinstance(written, Written)
    assert (written.taken, len(written.jobs), written.is_over) == (4, 4, False)
    assert await progress(pool) == (4, 4, 4)
    rest = await slices.write(held, found(4), Catalog())
    assert isinstance(rest, Written)
    assert rest.is_over
    assert await progress(pool) == (10, 10, 10)


async def test_what_somebody_holds_is_claimed_by_nobody_else(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    assert await slices.claim(held.run) is None
    await lapse(pool)
    assert await slices.claim(held.run) is not None


async def test_who_has_read_all_of_its_partitions_ends_no_others(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    await pool.execute(
        "INSERT INTO operations.backfill_partitions (run_id, partition, incarnation, begin_offset,"
        " end_offset, next_offset) VALUES ($1, 1, $2, 0, $3, 0)",
        *(run_id, INCARNATION, SEALS),
    )
    first, second = await claim(pool, slices, run_id), await claim(pool, slices, run_id)
    await slices.finish(first)
    assert await are_done(pool) == {*first.spans}
    # Neither does who has lost its partition to somebody else.
    await lapse(pool)
    holder = await claim(pool, slices, run_id)
    await slices.finish(second)
    assert await are_done(pool) == {*first.spans}
    await slices.finish(holder)
    assert await are_done(pool) == {0, 1}


async def are_done(pool: Any) -> set[int]:
    rows = await pool.fetch("SELECT partition FROM operations.backfill_partitions WHERE is_done")
    return {row["partition"] for row in rows}


class Given(LogSource):
    """Seals that were read."""

    def __init__(self, seals: list[Found]) -> None:
        self._seals = seals

    async def peek(self, count: int) -> list[Found]:
        return self._seals[:count]

    def drop(self, count: int) -> None:
        del self._seals[:count]


async def test_a_slice_is_decided_by_all_that_the_log_says_of_passes(
    pool: Any, slices: SliceStore, run_id: str, settings: Settings
) -> None:
    held = await claim(pool, slices, run_id)
    own = AnalyzerSettings(**settings.model_dump())
    replay = Replay(held.run, slices, own, pool, Late(), lambda: None)
    assert await replay._write_some(held, Given(found()), asyncio.Event())
    # The tenant did not want it any more when the backfill began.
    assert await progress(pool) == (10, 0, 0)


async def test_a_former_holders_slice_has_no_effect(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    former = await claim(pool, slices, run_id)
    await lapse(pool)
    holder = await claim(pool, slices, run_id)
    await slices.write(holder, found()[:6], Catalog())
    before = await progress(pool)
    with pytest.raises(ProgressLost):
        await slices.write(former, found()[:2], Catalog())
    assert await progress(pool) == before == (6, 6, 6)


async def test_a_slice_that_was_written_is_not_written_again(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    again = replace(held, spans=dict(held.spans), tallies={0: type(held.tallies[0])()})
    await slices.write(held, found()[:3], Catalog())
    with pytest.raises(ProgressLost):
        await slices.write(again, found()[:3], Catalog())
    assert await progress(pool) == (3, 3, 3)


async def test_a_paused_run_is_written_by_nobody(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    await runs.act(pool, run_id, runs.Act.PAUSE, "tester")
    with pytest.raises(NotRunning):
        await slices.write(held, found(), Catalog())
    assert await progress(pool) == (0, 0, 0)


@pytest.mark.parametrize("consumer", ["analyzer", "persister-seals"])
async def test_nothing_is_decided_before_it_is_known_what_is_current(
    pool: Any, slices: SliceStore, run_id: str, consumer: str
) -> None:
    held = await claim(pool, slices, run_id)
    await pool.execute("UPDATE fences SET next_offset = 5 WHERE consumer = $1", consumer)
    waits = await slices.write(held, found(), Catalog())
    assert isinstance(waits, Wait)
    assert waits.why == consumer.removesuffix("-seals")
    assert await progress(pool) == (0, 0, 0)


async def test_a_fence_of_another_incarnation_is_another_log(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    await pool.execute("UPDATE fences SET incarnation = 'anew' WHERE consumer = 'analyzer'")
    with pytest.raises(OtherLog):
        await slices.write(held, found(), Catalog())


async def test_what_the_log_holds_no_more_is_passed_over_and_counted(
    pool: Any, slices: SliceStore, run_id: str
) -> None:
    held = await claim(pool, slices, run_id)
    assert await slices.give_up_below(held, {0: 7}) == 7
    written = await slices.write(held, found(7), Catalog())
    assert isinstance(written, Written)
    assert (written.taken, written.is_over) == (3, True)
    (shown,) = await runs.progress(pool, await runs.runs(pool))
    assert (shown.lost, shown.passed, shown.total) == (7, 10, 10)
