"""Prompt jobs: what is counted before a call, what comes of every way in which asking can end."""

import asyncio
from datetime import timedelta

import pytest

from parley.analyses import AttemptStarted, ChargeRecorded, JobEndKind
from services.analyzer.core.outcomes import MAX_LOST_ATTEMPTS
from services.analyzer.model.contract import (
    ModelUnavailable,
)
from services.analyzer.prompts.asking import Question
from services.analyzer.store import Slots
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import (
    Tables,
    sealed,
    talk,
)
from tests.unit.analyzer.fake_model import OUTPUT, Gives

pytestmark = pytest.mark.integration


async def test_an_answer_is_a_verdict_with_all_that_it_came_from(prompting: Prompting) -> None:
    assert await prompting.work() == 1
    (ended,) = await prompting.ends()
    assert (ended.end, ended.output_json, ended.model) == (JobEndKind.VERDICT, OUTPUT, "scripted-1")
    assert (ended.input_tokens, ended.output_tokens, ended.cost_micro_usd) == (11, 7, 40)
    assert (ended.latency, ended.is_from_memo) == (timedelta(seconds=1), False)
    assert len(ended.prompt_digest) == 32
    assert [charge.actual_micro_usd for charge in ended.charges] == [40]
    assert await prompting.jobs() == [("verdict", "")]
    assert await prompting.spent() == (40, 0)


async def test_an_attempt_and_its_reservation_are_committed_before_the_call(
    prompting: Prompting,
) -> None:
    prompting.model.gate = asyncio.Event()
    await prompting.worker.claim_some()
    await prompting.model.called.wait()
    # What another connection sees while the call is under way.
    started, charged = await prompting.told()
    assert isinstance(started, AttemptStarted)
    assert (started.attempt, started.failure_count) == (1, 0)
    assert isinstance(charged, ChargeRecorded)
    assert (charged.charge.estimated_micro_usd, charged.charge.actual_micro_usd) == (100, None)
    assert await prompting.spent() == (100, 0)
    prompting.model.gate.set()
    await prompting.worker.settled()
    assert await prompting.spent() == (40, 0)


async def test_every_call_of_an_attempt_is_reserved_for(prompting: Prompting) -> None:
    prompting.model.acts(Gives(calls=2, cost=35))
    await prompting.work()
    charges = [one for one in await prompting.told() if isinstance(one, ChargeRecorded)]
    assert len({one.charge.reservation_id for one in charges}) == 2
    assert await prompting.spent() == (70, 0)


async def test_a_worker_that_died_in_a_call_leaves_the_attempt_and_the_money_counted(
    prompting: Prompting,
) -> None:
    prompting.model.gate = asyncio.Event()
    await prompting.worker.claim_some()
    await prompting.model.called.wait()
    for task in list(prompting.worker._running):
        task.cancel()
    await prompting.lapse()
    prompting.model.gate = None
    other = Prompting(prompting.pool, prompting.settings, prompting.model, worker_id="other")
    assert await other.work() == 1
    (ended,) = await prompting.ends()
    assert (ended.worker_id, ended.attempt_count) == ("other", 2)
    assert prompting.model.call_count == 2
    assert await prompting.spent() == (140, 0)


async def test_a_job_that_was_taken_away_is_not_called_for(prompting: Prompting) -> None:
    (attempt,) = (await prompting.store.claim(_fingerprints(prompting), _slots())).attempts
    await prompting.lapse()
    await prompting.store.claim(_fingerprints(prompting), _slots())
    asker = prompting.worker._asker
    token = "00000000-0000-0000-0000-000000000000"
    question = await asker.prepare(attempt, prompting.passes[0])
    assert isinstance(question, Question)
    assert await asker.ask(token, question) is None
    assert prompting.model.call_count == 0
    assert await prompting.spent() == (0, 0)


async def test_a_revision_that_comes_while_its_job_is_asked_about_keeps_the_old_answer_out(
    prompting: Prompting, tables: Tables
) -> None:
    prompting.model.gate = asyncio.Event()
    await prompting.worker.claim_some()
    await prompting.model.called.wait()
    await tables.say("c", talk("c", 5)[4:], first_offset=4)
    await prompting.read(sealed("c", talk("c", 5), revision=2))
    prompting.model.gate.set()
    await prompting.worker.settled()
    assert await prompting.ends() == []
    await prompting.work()
    assert [one.revision for one in await prompting.ends()] == [2]
    # Both were paid for.
    assert await prompting.spent() == (80, 0)


async def test_a_provider_that_is_away_costs_neither_attempts_nor_money(
    prompting: Prompting,
) -> None:
    away = [ModelUnavailable("rate_limited", timedelta(0)) for _ in range(4)]
    prompting.model.acts(*away)
    for _ in range(4):
        assert await prompting.work() == 1
    job = await prompting.job()
    assert (job["state"], job["failure_count"], job["released_count"]) == ("open", 0, 4)
    assert await prompting.spent() == (0, 0)
    await prompting.work()
    assert await prompting.jobs() == [("verdict", "")]


async def test_released_attempts_are_not_those_of_workers_that_died(prompting: Prompting) -> None:
    count = MAX_LOST_ATTEMPTS + 3
    await prompting.pool.execute(
        "UPDATE operations.jobs SET attempt_count = $1, released_count = $1", count
    )
    await prompting.work()
    assert await prompting.jobs() == [("verdict", "")]


async def test_a_job_rests_at_least_as_long_as_the_provider_asks_for(prompting: Prompting) -> None:
    prompting.model.acts(ModelUnavailable("rate_limited", timedelta(seconds=30)))
    await prompting.work()
    rest = await prompting.pool.fetchval("SELECT due_at - now() FROM operations.jobs")
    assert timedelta(seconds=29) < rest <= timedelta(seconds=31)
    assert await prompting.work() == 0


async def test_after_a_timeout_the_reservation_goes_on_to_count(prompting: Prompting) -> None:
    prompting.model.acts(ModelUnavailable("timeout"))
    await prompting.work()
    job = await prompting.job()
    assert (job["state"], job["failure_count"], job["released_count"]) == ("open", 1, 0)
    assert await prompting.spent() == (100, 0)


def _fingerprints(prompting: Prompting) -> list[str]:
    return [one.fingerprint for one in prompting.passes]


def _slots() -> Slots:
    return Slots(1, 1)
