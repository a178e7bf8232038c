"""Which jobs a worker may claim, how many at once, and for how long."""

from datetime import timedelta
from typing import Any

import pytest

from parley.analyses import Lane
from services.analyzer import store as jobs_table
from services.analyzer.core.jobs import Job
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import Claim, JobStore, Slots
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    TWO_PASSES,
    Tables,
    claim,
    jobs_for,
    sealed,
    talk,
)

pytestmark = pytest.mark.integration


async def insert(pool: Any, *conversations: str, count: int = 4) -> list[Job]:
    """The jobs of one segment for each conversation."""
    jobs = [job for name in conversations for job in jobs_for(sealed(name, talk(name, count)))]
    async with pool.acquire() as connection:
        await jobs_table.insert_jobs(connection, jobs)
    return jobs


async def lapse(pool: Any) -> None:
    """Let every lease run out."""
    await pool.execute(
        "UPDATE operations.jobs SET due_at = now() - interval '1 s' WHERE state = 'claimed'"
    )


def keys(held: Claim) -> set[tuple[str, str]]:
    return {(one.job.segment.segment_id, one.job.pass_name) for one in held.attempts}


async def test_a_job_waits_until_the_persister_has_passed_the_position(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    assert (await claim(store)).attempts == ()
    await tables.persister_is_at(DECIDED_OFFSET)
    assert (await claim(store)).attempts == ()
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    assert len((await claim(store)).attempts) == len(TWO_PASSES)


async def test_a_job_of_a_former_incarnation_need_not_wait(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    assert (await claim(store)).attempts == ()
    # Before a topic has a successor all of it is stored; the successor's offsets are others.
    await tables.persister_is_at(0)
    await pool.execute("UPDATE fences SET incarnation = 'second'")
    assert len((await claim(store)).attempts) == len(TWO_PASSES)


async def test_inserting_known_jobs_again_changes_nothing(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c", "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    assert len((await claim(store)).attempts) == len(TWO_PASSES)
    await insert(pool, "c")
    assert (await claim(store)).attempts == ()


async def test_a_claimed_job_is_as_it_was_inserted(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    jobs = await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    found = await claim(store)
    assert {one.job.pass_name: one.job for one in found.attempts} == {
        job.pass_name: job for job in jobs
    }
    assert [(one.attempt_count, one.failure_count) for one in found.attempts] == [(1, 0), (1, 0)]


async def test_two_claims_never_hold_the_same_job(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, *(f"c{number}" for number in range(50)))
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    first, second = await claim(store), await claim(store)
    assert (len(first.attempts), len(second.attempts)) == (64, 36)
    assert not keys(first) & keys(second)


async def test_a_locked_job_is_passed_over_rather_than_waited_for(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT FROM operations.jobs WHERE pass_name = 'sentiment' FOR UPDATE"
        )
        found = await claim(store)
    assert [one.job.pass_name for one in found.attempts] == ["turn_statistics"]


async def test_a_lease_that_ran_out_gives_the_job_to_another(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    lost = await claim(store)
    assert (await claim(store)).attempts == ()
    await lapse(pool)
    found = await claim(store)
    assert found.token != lost.token
    assert [one.attempt_count for one in found.attempts] == [2]


async def test_a_heartbeat_keeps_the_lease_of_its_own_claim_only(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    found = await claim(store)
    await lapse(pool)
    await store.extend([("00000000-0000-0000-0000-000000000000", one) for one in found.attempts])
    assert await pool.fetchval("SELECT count(*) FROM operations.jobs WHERE due_at > now()") == 0
    await store.extend([(found.token, one) for one in found.attempts])
    assert (await claim(store)).attempts == ()


async def test_jobs_that_lost_a_worker_are_claimed_alone(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c", "d")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    assert len((await claim(store)).attempts) == 4
    await lapse(pool)
    assert [len((await claim(store)).attempts) for _ in range(5)] == [1, 1, 1, 1, 0]


async def test_a_claim_holds_no_more_messages_than_it_may_but_at_least_one_job(
    pool: Any, own_settings: AnalyzerSettings, tables: Tables
) -> None:
    few = own_settings.model_copy(update={"analyzer_claim_messages": 10})
    await insert(pool, "long", count=11)
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    store = JobStore(tables.pool, few)
    assert [len((await claim(store)).attempts) for _ in range(3)] == [1, 1, 0]
    await insert(pool, "c", "d", count=3)
    assert [len((await claim(store)).attempts) for _ in range(3)] == [3, 1, 0]


async def test_a_worker_leaves_passes_that_it_does_not_have(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    known = [TWO_PASSES[0].definition.fingerprint, "another"]
    found = await store.claim(known, Slots(64, 16))
    assert [one.job.pass_name for one in found.attempts] == [TWO_PASSES[0].definition.name]


async def test_a_rest_keeps_a_job_from_being_claimed(
    pool: Any, store: JobStore, tables: Tables
) -> None:
    await insert(pool, "c")
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await pool.execute("UPDATE operations.jobs SET due_at = now() + $1", timedelta(seconds=60))
    assert (await claim(store)).attempts == ()


async def test_parked_jobs_are_counted_by_what_they_wait_for(pool: Any, store: JobStore) -> None:
    jobs = await insert(pool, "c", "d")
    await pool.execute(
        "UPDATE operations.jobs SET state = 'parked', reason = 'budget' WHERE conversation_id = 'c'"
    )
    counts = await store.count_unfinished()
    assert counts == {
        ("open", Lane.LIVE, ""): len(jobs) // 2,
        ("parked", Lane.LIVE, "budget"): len(jobs) // 2,
    }
