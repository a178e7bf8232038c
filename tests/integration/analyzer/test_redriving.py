"""Jobs begin anew and are cancelled: one verdict at most, whatever is read back after it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from parley import clock, jobs
from parley.analyses import JobEndKind, JobKey, JobReopened, JobTrigger
from services.analyzer.model.contract import InvalidAnswer, NoProvider, Usage
from services.analyzer.settings import AnalyzerSettings
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import DECIDED_OFFSET, Tables, sealed, talk
from tests.unit.analyzer.fake_model import FakeModel, Gives

pytestmark = pytest.mark.integration

INVALID = InvalidAnswer("not_json", Usage(2, 20, 10, 70), "no")


@pytest.fixture
async def failed(pool: Any, own_settings: AnalyzerSettings, tables: Tables) -> Prompting:
    """A job whose answer was none; from now on the model answers well."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    settings = own_settings.model_copy(update={"analyzer_call_rest": timedelta(0)})
    made = Prompting(pool, settings, FakeModel())
    await made.read(sealed("c", talk("c")))
    made.model.acts(INVALID)
    await made.work()
    assert await made.jobs() == [("failed", "not_json")]
    return made


async def key_of(prompting: Prompting) -> JobKey:
    row = await prompting.job()
    return (
        row["tenant_id"],
        str(row["segment_id"]),
        row["revision"],
        row["pass_name"],
        row["pass_version"],
    )


async def reopen(prompting: Prompting) -> int:
    keys = [await key_of(prompting)]
    async with prompting.pool.acquire() as connection, connection.transaction():
        done = await jobs.reopen(connection, prompting.settings, keys, "ada", clock.now())
    return len(done)


async def cancel(prompting: Prompting) -> int:
    keys = [await key_of(prompting)]
    async with prompting.pool.acquire() as connection, connection.transaction():
        now = clock.now()
        done = await jobs.cancel(connection, prompting.settings, keys, "operator", "ada", now)
    return len(done)


async def test_a_failed_job_begins_anew_and_gets_its_one_verdict(failed: Prompting) -> None:
    assert await reopen(failed) == 1
    await failed.work()
    first, second = await failed.ends()
    assert (first.end, first.generation) == (JobEndKind.FAILED, 0)
    assert (second.end, second.generation, second.trigger) == (
        JobEndKind.VERDICT,
        1,
        JobTrigger.REDRIVE,
    )
    # Never once more.
    assert await reopen(failed) == 0
    assert await failed.work() == 0
    assert await failed.spent() == (110, 0)


async def test_the_former_end_that_is_read_back_does_not_end_it_again(failed: Prompting) -> None:
    await reopen(failed)
    await failed.read_back()
    assert await failed.jobs() == [("open", "")]
    await failed.work()
    await failed.read_back()
    assert await failed.jobs() == [("verdict", "")]


async def test_a_lost_database_knows_that_it_was_reopened_and_how_it_ended(
    failed: Prompting,
) -> None:
    await reopen(failed)
    for state, calls in (("open", 1), ("verdict", 2)):
        await failed.pool.execute("TRUNCATE operations.jobs, operations.job_histories")
        await failed.read_back()
        await failed.read(sealed("c", talk("c")))
        assert await failed.jobs() == [(state, "")]
        await failed.work()
        assert failed.model.call_count == max(calls, 2)
    assert len([one for one in await failed.told() if isinstance(one, JobReopened)]) == 1


async def test_a_dump_from_before_the_redrive_is_brought_to_its_verdict(failed: Prompting) -> None:
    before = await failed.job()
    await reopen(failed)
    await failed.work()
    await failed.pool.execute(
        "UPDATE operations.jobs SET state = 'failed', reason = 'not_json', generation = 0,"
        " attempt_count = $1",
        before["attempt_count"],
    )
    await failed.read_back()
    assert await failed.jobs() == [("verdict", "")]
    assert await reopen(failed) == 0


async def test_it_has_all_its_attempts_again_and_no_raw_answer(failed: Prompting) -> None:
    await reopen(failed)
    job = await failed.job()
    assert (job["failure_count"], job["raw_answer"]) == (0, None)
    assert job["attempt_count"] == job["released_count"] == 1


async def test_a_parked_job_is_tried_again_at_once(failed: Prompting, tables: Tables) -> None:
    await tables.pool.execute("DELETE FROM operations.jobs")
    await failed.read(sealed("c", talk("c")))
    failed.model.acts(NoProvider("no_provider"))
    await failed.work()
    assert await failed.jobs() == [("parked", "no_provider")]
    assert await reopen(failed) == 1
    await failed.work()
    assert await failed.jobs() == [("verdict", "")]


async def test_a_job_of_a_former_revision_is_left_alone(failed: Prompting) -> None:
    await failed.pool.execute(
        "INSERT INTO segments (tenant_id, segment_id, conversation_id, revision)"
        " SELECT tenant_id, segment_id, conversation_id, 2 FROM operations.jobs"
    )
    assert await reopen(failed) == 0


async def test_a_cancelled_job_is_not_run_and_an_answer_under_way_is_refused(
    failed: Prompting,
) -> None:
    await reopen(failed)
    gate = failed.model.gate = asyncio.Event()
    failed.model.called.clear()
    await failed.worker.claim_some()
    await failed.model.called.wait()
    assert await cancel(failed) == 1
    gate.set()
    await failed.worker.settled()
    assert await failed.jobs() == [("cancelled", "operator")]
    assert [one.end for one in await failed.ends()] == [JobEndKind.FAILED, JobEndKind.CANCELLED]
    # It was paid for all the same.
    assert await failed.spent() == (110, 0)
    assert await failed.work() == 0


async def test_a_cancelled_job_may_begin_anew(failed: Prompting) -> None:
    await reopen(failed)
    await cancel(failed)
    await failed.read_back()
    assert await failed.jobs() == [("cancelled", "operator")]
    failed.model.otherwise = Gives()
    assert await reopen(failed) == 1
    await failed.read_back()
    await failed.work()
    assert await failed.jobs() == [("verdict", "")]


async def test_a_dump_in_which_a_pause_held_the_job_is_brought_to_its_redrive(
    failed: Prompting,
) -> None:
    before = await failed.job()
    await reopen(failed)
    # As it was in the dump: a backfill was paused, which is over by now.
    await failed.pool.execute(
        "UPDATE operations.jobs SET state = 'open', due_at = 'infinity', generation = 0,"
        " attempt_count = $1",
        before["attempt_count"],
    )
    await failed.read_back()
    assert await failed.work() == 1
    assert await failed.jobs() == [("verdict", "")]


async def test_a_job_that_is_cancelled_while_a_pause_holds_it_is_held_no_more(
    failed: Prompting,
) -> None:
    await reopen(failed)
    await failed.pool.execute("UPDATE operations.jobs SET due_at = 'infinity'")
    assert await cancel(failed) == 1
    assert (await failed.job())["due_at"] <= clock.now()
