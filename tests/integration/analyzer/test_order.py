"""Live jobs go before those of a backfill, then the greater priority, then the older."""

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from parley.analyses import JobTrigger, Lane
from parley.passes.code import CodePass, Output, SegmentText
from services.analyzer import store as jobs_table
from services.analyzer.core.jobs import Job
from services.analyzer.engine import Engine
from services.analyzer.known import FixedPasses
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore
from tests.integration.analyzer.stage import DECIDED_OFFSET, Tables, claim, jobs_for, sealed, talk
from tests.support.wait import eventually
from tests.unit.analyzer.fake_model import FakeModel
from tests.unit.analyzer.samples import code_pass

pytestmark = pytest.mark.integration

RUN = "3f8b8a52-0000-4000-8000-000000000001"


def one_job(conversation_id: str, **fields: Any) -> Job:
    """The job of the first pass over a conversation's segment."""
    return replace(jobs_for(sealed(conversation_id, talk(conversation_id)))[0], **fields)


def of_backfill(conversation_id: str, **fields: Any) -> Job:
    return one_job(
        conversation_id,
        lane=Lane.BACKFILL,
        trigger=JobTrigger.BACKFILL,
        backfill_run_id=RUN,
        **fields,
    )


async def insert(pool: Any, *jobs: Job) -> None:
    """One after the other, so that each is younger than the one before."""
    for job in jobs:
        async with pool.acquire() as connection:
            await jobs_table.insert_jobs(connection, [job])


async def claimed(store: JobStore, count: int, live: int = 1, backfill: int = 1) -> list[str]:
    """The conversations whose jobs come next, in order."""
    claims = [await claim(store, live, backfill) for _ in range(count)]
    return [one.job.segment.conversation_id for found in claims for one in found.attempts]


@pytest.fixture
async def ready(store: JobStore, tables: Tables) -> JobStore:
    """Everything was stored that jobs wait for."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    return store


async def test_a_live_job_goes_before_a_backfill_that_is_older_and_more_urgent(
    pool: Any, ready: JobStore
) -> None:
    await insert(pool, of_backfill("old", priority=9), one_job("new"))
    assert await claimed(ready, 3) == ["new", "old"]


async def test_within_a_lane_the_greater_priority_goes_first_and_then_the_older(
    pool: Any, ready: JobStore
) -> None:
    await insert(pool, one_job("a"), one_job("b"), one_job("c", priority=1), one_job("d"))
    assert await claimed(ready, 4) == ["c", "a", "b", "d"]


async def test_a_claim_is_of_one_lane(pool: Any, ready: JobStore) -> None:
    await insert(pool, of_backfill("x"), one_job("a"), of_backfill("y"), one_job("b"))
    assert await claimed(ready, 1, 9, 9) == ["a", "b"]
    assert await claimed(ready, 1, 9, 9) == ["x", "y"]


async def test_each_lane_has_its_own_bound(pool: Any, ready: JobStore) -> None:
    await insert(pool, *(of_backfill(f"c{number}") for number in range(5)))
    assert [len((await claim(ready, 9, 2)).attempts) for _ in range(4)] == [2, 2, 1, 0]
    await insert(pool, one_job("live"), of_backfill("other"))
    assert await claimed(ready, 2, 9, 0) == ["live"]


async def test_a_suspended_pass_is_not_claimed_and_the_others_are(
    pool: Any, ready: JobStore
) -> None:
    jobs = jobs_for(sealed("c", talk("c")))
    await insert(pool, *jobs)
    await pool.execute(
        "INSERT INTO operations.suspensions (fingerprint, pass_name, pass_version, reason)"
        " VALUES ($1, 'x', 1, 'bad_key')",
        jobs[0].fingerprint,
    )
    (attempt,) = (await claim(ready)).attempts
    assert attempt.job.pass_name == jobs[1].pass_name
    assert await ready.end_suspensions([jobs[0].fingerprint]) == ["x"]
    assert len((await claim(ready)).attempts) == 1


async def test_a_live_job_waits_for_no_backfill_that_keeps_all_other_workers_busy(
    pool: Any, ready: JobStore, tables: Tables, own_settings: AnalyzerSettings
) -> None:
    is_over = threading.Event()

    def take_long(_: SegmentText) -> Output:
        is_over.wait(60)
        return {}

    slow, quick = code_pass("slow", take_long), code_pass("quick", lambda _: {})
    engine = Engine(own_settings, ready, FixedPasses([slow, quick]), FakeModel(), "w")
    count = own_settings.analyzer_workers * own_settings.analyzer_claim_backfill_jobs
    names = [f"past{number}" for number in range(count)]
    await insert(pool, *(of_pass(slow, of_backfill(name)) for name in names))
    for name in (*names, "now"):
        await tables.say(name, talk(name))
    stop = asyncio.Event()
    tasks: list[asyncio.Future[None]] = [
        asyncio.ensure_future(one(stop)) for one in engine.tasks(asyncio.Event(), lambda _: None)
    ]
    try:
        await eventually(lambda: are_busy(tables))
        await insert(pool, of_pass(quick, one_job("now")))

        async def is_done() -> bool:
            states = await tables.job_states()
            return states.get("verdict", 0) == 1

        await eventually(is_done)
        assert (await tables.job_states())["claimed"] > 0
    finally:
        stop.set()
        is_over.set()
        await asyncio.gather(*tasks)


async def are_busy(tables: Tables) -> bool:
    """Whether every worker that takes backfills has claimed some, and has had time for it."""
    claimed = (await tables.job_states()).get("claimed", 0)
    await asyncio.sleep(1)
    return 0 < claimed == (await tables.job_states()).get("claimed", 0)


def of_pass(one: CodePass, job: Job) -> Job:
    definition = one.definition
    return replace(
        job, pass_name=definition.name, pass_version=1, fingerprint=definition.fingerprint
    )


async def test_a_job_of_a_backfill_knows_its_run(pool: Any, ready: JobStore) -> None:
    await insert(pool, of_backfill("c", priority=3))
    (attempt,) = (await claim(ready)).attempts
    job = attempt.job
    assert (job.lane, job.priority, job.backfill_run_id) == (Lane.BACKFILL, 3, RUN)
    assert job.trigger is JobTrigger.BACKFILL
