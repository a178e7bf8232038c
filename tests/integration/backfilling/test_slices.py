"""A slice is written by who holds the partition, once, and by nobody else."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley.backfilling import runs
from parley.backfilling.core import Found
from parley.backfilling.request import BackfillRequest
from parley.backfilling.sources import LogSource
from parley.config import ConfigChange
from parley.passes.applied import Subscription
from parley.passes.catalog import Catalog
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.backfilling import Backfills
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
from tests.integration.analyzer.stage import sealed, talk
from tests.integration.backfilling.past import NEW, conversations
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

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


@pytest.fixture
def slices(pool: Any, settings: Settings) -> SliceStore:
    own = AnalyzerSettings(**settings.model_dump())
    return SliceStore(pool, own.analyzer_lease, own)


@pytest.fixture
async def run_id(pool: Any, settings: Settings) -> str:
    """A run over one partition of ten seals, which both consumers have read."""
    topic = settings.topic(Topic.SEALS)
    for consumer in ("analyzer", "persister-seals"):
        await pool.execute(
            "INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch,"
            " owner) VALUES ($1, $2, 0, $3, $4, 1, 'test')",
            *(consumer, topic, INCARNATION, SEALS),
        )
    for one in found():
        assert one.sealed is not None
        await pool.execute(
            "INSERT INTO segments (tenant_id, segment_id, conversation_id, revision)"
            " VALUES ('default', $1, $2, 1)",
            *(one.sealed.segment_id, one.sealed.conversation_id),
        )
    begun = await runs.start(pool, BackfillRequest([NEW]), "tester")
    await pool.execute("UPDATE operations.backfill_runs SET topic = $1, prepared_at = now()", topic)
    await pool.execute(
        "INSERT INTO operations.backfill_partitions (run_id, partition, incarnation, begin_offset,"
        " end_offset, next_offset) VALUES ($1, 0, $2, 0, $3, 0)",
        *(begun, INCARNATION, SEALS),
    )
    return begun


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


class Late:
    """A view of the config topic that reconnects: it knows what a tenant wants once caught up."""

    def __init__(self) -> None:
        self.catalog = Catalog()

    async def catch_up(self) -> None:
        body = Subscription(NEW.name, is_category=False, is_enabled=False)
        self.catalog.apply(ConfigChange("default", "tester", datetime.now(UTC), body))


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
