"""Prompt jobs: what ends them without a verdict, and which answers are not asked for again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from parley import clock
from parley.analyses import JobEndKind, Lane
from parley.ids import derived_id
from services.analyzer.model.contract import (
    InvalidAnswer,
    ModelMisconfigured,
    ModelUnavailable,
    NoProvider,
    PromptTooLarge,
    Usage,
)
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    revised,
    sealed,
    talk,
)
from tests.unit.analyzer.fake_model import OUTPUT, Gives, prompt_pass

pytestmark = pytest.mark.integration


async def test_an_answer_that_is_none_ends_the_job_and_is_kept(prompting: Prompting) -> None:
    raw = "I think\0 that\ud800" + "x" * 30_000
    prompting.model.acts(InvalidAnswer("not_json", Usage(2, 20, 10, 70), raw))
    await prompting.work()
    (ended,) = await prompting.ends()
    assert (ended.end, ended.reason, ended.cost_micro_usd) == (JobEndKind.FAILED, "not_json", 70)
    job = await prompting.job()
    assert job["raw_answer"].startswith("I think")
    assert len(job["raw_answer"]) == 20_000
    assert await prompting.spent() == (70, 0)


async def test_a_bad_key_suspends_the_pass_and_a_new_start_goes_on_where_it_stopped(
    prompting: Prompting, tables: Tables
) -> None:
    await tables.say("d", talk("d"))
    await prompting.read(sealed("d", talk("d")))
    prompting.model.otherwise = ModelMisconfigured("bad_key", Usage(1))
    await prompting.work()
    assert [one.reason for one in await prompting.store.suspensions()] == ["bad_key"]
    assert await prompting.work() == 0
    assert {state for state, _ in await prompting.jobs()} == {"open"}
    assert await prompting.ends() == []
    # A worker starts, and nothing has changed: the pass is suspended again.
    await prompting.resuming.begin()
    assert await prompting.work() == 2
    assert await prompting.work() == 0
    prompting.model.otherwise = Gives()
    await prompting.resuming.begin()
    assert await prompting.work() == 2
    assert await prompting.jobs() == [("verdict", "")] * 2
    assert await prompting.spent() == (80, 0)


async def test_a_pass_that_is_resumed_is_tried_again_once_for_each_time_that_it_is_said(
    prompting: Prompting,
) -> None:
    prompting.model.otherwise = ModelMisconfigured("bad_key", Usage(1))
    await prompting.resuming.begin()
    await prompting.work()
    await prompting.resuming.look()
    assert await prompting.work() == 0
    prompting.resumed["summary"] = clock.now()
    await prompting.resuming.look()
    assert await prompting.work() == 1
    # It was suspended again, and nobody has said anything new.
    await prompting.resuming.look()
    assert await prompting.work() == 0
    prompting.resumed["another"] = clock.now()
    await prompting.resuming.look()
    assert await prompting.work() == 0
    prompting.resumed["summary"] = clock.now()
    prompting.model.otherwise = Gives()
    await prompting.resuming.look()
    assert await prompting.work() == 1
    assert await prompting.jobs() == [("verdict", "")]
    job = await prompting.job()
    assert (job["failure_count"], job["released_count"]) == (0, 2)


async def test_without_a_provider_jobs_park_until_a_worker_starts_with_one(
    prompting: Prompting,
) -> None:
    prompting.model.otherwise = NoProvider("no_provider")
    await prompting.work()
    assert await prompting.jobs() == [("parked", "no_provider")]
    assert await prompting.work() == 0
    prompting.model.otherwise = Gives()
    await prompting.resuming.begin()
    await prompting.work()
    assert await prompting.jobs() == [("verdict", "")]


async def test_a_prompt_that_is_too_large_fails_at_once(prompting: Prompting) -> None:
    prompting.model.acts(PromptTooLarge("prompt_too_large"))
    await prompting.work()
    assert await prompting.jobs() == [("failed", "prompt_too_large")]
    assert await prompting.spent() == (0, 0)


async def test_a_poisonous_segment_fails_after_the_attempts_of_its_pass(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    prompting = make(prompt_pass(attempts=2))
    await prompting.read(sealed("c", talk("c")))
    prompting.model.acts(*(LookupError("what was said") for _ in range(5)))
    assert [await prompting.work() for _ in range(3)] == [1, 1, 0]
    assert await prompting.jobs() == [("failed", "LookupError")]
    assert "what was said" not in repr(await prompting.job())


async def test_the_same_content_is_not_paid_for_twice_across_revisions(
    prompting: Prompting,
) -> None:
    await prompting.work()
    await prompting.read(sealed("c", talk("c"), revision=2))
    await prompting.work()
    first, second = await prompting.ends()
    assert (first.is_from_memo, second.is_from_memo) == (False, True)
    assert (second.revision, second.output_json, second.cost_micro_usd) == (2, OUTPUT, 0)
    assert prompting.model.call_count == 1
    assert await prompting.spent() == (40, 0)


async def test_other_content_and_another_fingerprint_are_asked_about(
    prompting: Prompting, tables: Tables
) -> None:
    await prompting.work()
    members = talk("c")
    first = derived_id("first revision")
    await tables.add_version(members[0], first, "first", 10, seconds=5)
    then = [revised(members[0], first, "first"), *members[1:]]
    await prompting.read(sealed("c", then, revision=2))
    await prompting.work()
    other = replace(prompting.passes[0], version=2, model="another")
    again = Prompting(prompting.pool, prompting.settings, prompting.model, [other])
    await again.read(sealed("c", then, revision=2))
    await again.work()
    assert prompting.model.call_count == 3


async def test_no_tenant_is_given_the_answer_of_another(
    prompting: Prompting, tables: Tables
) -> None:
    await prompting.work()
    await tables.pool.execute("UPDATE conversation_messages SET tenant_id = 'other'")
    await prompting.read(sealed("c", talk("c"), tenant_id="other"))
    await prompting.work()
    assert [one.is_from_memo for one in await prompting.ends()] == [False, False]
    assert prompting.model.call_count == 2


async def test_what_the_topic_tells_fills_empty_tables_and_nothing_is_called_again(
    prompting: Prompting,
) -> None:
    prompting.model.acts(ModelUnavailable("timeout"))
    await prompting.work()
    await prompting.work()
    before = await prompting.spent()
    await prompting.pool.execute(
        "TRUNCATE operations.jobs, operations.charges, operations.budget_days, operations.memo"
    )
    await prompting.read_back()
    await prompting.read_back()
    assert await prompting.spent() == before == (140, 0)
    await prompting.read(sealed("c", talk("c")))
    job = await prompting.job()
    assert (job["state"], job["attempt_count"]) == ("verdict", 2)
    await prompting.read(sealed("c", talk("c"), revision=2))
    await prompting.work()
    assert (await prompting.ends())[-1].is_from_memo
    assert prompting.model.call_count == 2


async def test_attempts_that_were_under_way_when_the_tables_were_lost_are_counted(
    prompting: Prompting,
) -> None:
    prompting.model.acts(ModelUnavailable("timeout"))
    await prompting.work()
    await prompting.pool.execute("DELETE FROM operations.jobs")
    await prompting.read_back()
    await prompting.read(sealed("c", talk("c")))
    job = await prompting.job()
    assert (job["state"], job["attempt_count"]) == ("open", 1)
    assert job["attempt_count"] > job["failure_count"] + job["released_count"]


async def test_a_live_job_finds_room_while_a_backfill_fills_its_own(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    prompting = make(analyzer_calls=4, analyzer_live_calls=1)
    prompting.model.gate = asyncio.Event()
    for number in range(6):
        await tables.say(f"c{number}", talk(f"c{number}"))
        await prompting.read(sealed(f"c{number}", talk(f"c{number}")), lane=Lane.BACKFILL)
    assert await prompting.worker.claim_some() == 3
    assert await prompting.worker.claim_some() == 0
    await tables.say("live", talk("live"))
    await prompting.read(sealed("live", talk("live")))
    assert await prompting.worker.claim_some() == 1
    prompting.model.gate.set()
    await prompting.worker.settled()
