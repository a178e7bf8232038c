"""A slice is written by who holds the partition, once, and by nobody else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from parley.backfilling import runs
from parley.backfilling.core import Found
from parley.backfilling.request import BackfillRequest
from parley.passes.catalog import Catalog
from parley.settings import Settings
from parley.topics import Topic
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
