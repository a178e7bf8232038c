"""Live jobs go before those of a backfill, then the greater priority, then the older."""

from dataclasses import replace
from typing import Any

import pytest

from parley.analyses import JobTrigger, Lane
from services.analyzer import store as jobs_table
from services.analyzer.core.jobs import Job
from services.analyzer.passes import SHIPPED
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore
from tests.integration.analyzer.stage import DECIDED_OFFSET, Tables, jobs_for, sealed, talk

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


@pytest.fixture
async def one_by_one(own_settings: AnalyzerSettings, tables: Tables) -> JobStore:
    """Claims of one job each."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    few = {"analyzer_claim_jobs": 1, "analyzer_claim_backfill_jobs": 1}
    return JobStore(tables.pool, own_settings.model_copy(update=few), SHIPPED)


async def claimed(store: JobStore, count: int) -> list[str]:
    """The conversations whose jobs come next, in order."""
    claims = [await store.claim() for _ in range(count)]
    return [one.job.segment.conversation_id for claim in claims for one in claim.attempts]


async def test_a_live_job_goes_before_a_backfill_that_is_older_and_more_urgent(
    pool: Any, one_by_one: JobStore
) -> None:
    await insert(pool, of_backfill("old", priority=9), one_job("new"))
    assert await claimed(one_by_one, 3) == ["new", "old"]


async def test_within_a_lane_the_greater_priority_goes_first_and_then_the_older(
    pool: Any, one_by_one: JobStore
) -> None:
    await insert(pool, one_job("a"), one_job("b"), one_job("c", priority=1), one_job("d"))
    assert await claimed(one_by_one, 4) == ["c", "a", "b", "d"]


async def test_a_claim_is_of_one_lane(pool: Any, store: JobStore, tables: Tables) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await insert(pool, of_backfill("x"), one_job("a"), of_backfill("y"), one_job("b"))
    assert await claimed(store, 1) == ["a", "b"]
    assert await claimed(store, 1) == ["x", "y"]


async def test_a_claim_holds_few_jobs_of_a_backfill(
    pool: Any, own_settings: AnalyzerSettings, tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    few = own_settings.model_copy(update={"analyzer_claim_backfill_jobs": 2})
    await insert(pool, *(of_backfill(f"c{number}") for number in range(5)))
    store = JobStore(pool, few, SHIPPED)
    assert [len((await store.claim()).attempts) for _ in range(4)] == [2, 2, 1, 0]


async def test_a_job_of_a_backfill_knows_its_run(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await insert(pool, of_backfill("c", priority=3))
    (attempt,) = (await store.claim()).attempts
    job = attempt.job
    assert (job.lane, job.priority, job.backfill_run_id) == (Lane.BACKFILL, 3, RUN)
    assert job.trigger is JobTrigger.BACKFILL
