"""Prompt jobs: what is counted before a call, what comes of every way in which asking can end."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley import clock
from parley.analyses import AttemptStarted, ChargeRecorded, JobEndKind, Lane
from parley.ids import derived_id
from services.analyzer.core.charges import MAYBE_PAID
from services.analyzer.core.outcomes import MAX_LOST_ATTEMPTS
from services.analyzer.model.contract import (
    InvalidAnswer,
    ModelMisconfigured,
    ModelUnavailable,
    NoProvider,
    PromptTooLarge,
    Usage,
)
from services.analyzer.prompts import asking
from services.analyzer.prompts.asking import Question
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import Slots
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    own_talk,
    revised,
    sealed,
    talk,
)
from tests.support.wait import eventually
from tests.unit.analyzer.fake_model import OUTPUT, FakeModel, Gives, prompt_pass

pytestmark = pytest.mark.integration

NO_REST = {"analyzer_call_rest": timedelta(0), "analyzer_rest": timedelta(0)}


@pytest.fixture
def make(pool: Any, own_settings: AnalyzerSettings) -> Callable[..., Prompting]:
    def build(*passes: Any, model: FakeModel | None = None, **settings: Any) -> Prompting:
        own = own_settings.model_copy(update={**NO_REST, **settings})
        return Prompting(pool, own, model or FakeModel(), passes)

    return build


@pytest.fixture
async def prompting(make: Callable[..., Prompting], tables: Tables) -> Prompting:
    """One job that can be asked about."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    made = make()
    await made.read(sealed("c", talk("c")))
    return made


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


@pytest.mark.parametrize("reason", sorted(MAYBE_PAID))
async def test_a_segment_over_which_alone_nothing_is_answered_fails_after_its_attempts(
    make: Callable[..., Prompting], tables: Tables, reason: str
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    prompting = make(prompt_pass(attempts=3))
    for name in ("a", "b", "c", "poison"):
        await tables.say(name, own_talk(name))
    await prompting.read(sealed("poison", own_talk("poison")))
    for number, name in enumerate("abc"):
        # Another one is answered each time: the circuit stays closed.
        prompting.model.acts(ModelUnavailable(reason))
        assert await prompting.work() == 1
        job = await prompting.job_of("poison")
        assert (job["failure_count"], job["released_count"]) == (number + 1, 0)
        assert prompting.engine.facts()["circuits"] == {"scripted": "closed"}
        if number < 2:
            await tables.pool.execute("UPDATE operations.jobs SET due_at = now() + interval '1 h'")
            await prompting.read(sealed(name, own_talk(name)))
            assert await prompting.work() == 1
            await prompting.lapse()
    job = await prompting.job_of("poison")
    assert (job["state"], job["reason"]) == ("failed", reason)
    # Nobody pays for it any more, and what may have been paid for counts.
    assert await prompting.work() == 0
    assert await prompting.spent() == (3 * 100 + 2 * 40, 0)
    ended = (await prompting.ends())[-1]
    assert (ended.end, ended.reason) == (JobEndKind.FAILED, reason)


async def test_while_the_provider_is_down_timeouts_do_not_count(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    own = {"analyzer_circuit_failures": 1, "analyzer_circuit_rest": timedelta(milliseconds=20)}
    prompting = make(prompt_pass(attempts=2), **own)
    await tables.say("c", talk("c"))
    await prompting.read(sealed("c", talk("c")))
    prompting.model.acts(*(ModelUnavailable("timeout") for _ in range(4)))
    for count in range(4):
        # The first one opens it, the others find out whether it is over.
        await eventually(prompting.work, timeout=5, every=0.02)
        job = await prompting.job()
        assert (job["state"], job["failure_count"]) == ("open", 0)
        assert job["released_count"] == count + 1
        await prompting.lapse()
    await eventually(prompting.work, timeout=5, every=0.02)
    assert await prompting.jobs() == [("verdict", "")]


async def test_a_call_that_is_never_answered_keeps_what_was_reserved_and_the_first_is_settled(
    make: Callable[..., Prompting], tables: Tables, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "GRACE", timedelta(0))
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    prompting = make(prompt_pass(timeout=timedelta(milliseconds=200)))
    await prompting.read(sealed("c", talk("c")))
    prompting.model.acts(Gives(hangs_at=0))
    await prompting.work()
    assert await prompting.spent() == (100, 0)
    await prompting.lapse()
    prompting.model.acts(Gives(calls=2, cost=35, hangs_at=1))
    await prompting.work()
    assert await prompting.spent() == (100 + 35 + 100, 0)
    job = await prompting.job()
    assert (job["state"], job["reason"], job["failure_count"]) == ("open", "timeout", 2)


async def test_failures_in_a_row_open_the_circuit_and_one_call_closes_it(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    prompting = make(analyzer_circuit_failures=3, analyzer_circuit_rest=timedelta(seconds=3))
    for number in range(6):
        await tables.say(f"c{number}", talk(f"c{number}"))
        await prompting.read(sealed(f"c{number}", talk(f"c{number}")))
    prompting.model.acts(*(ModelUnavailable("overloaded") for _ in range(6)))
    assert await prompting.work() == 6
    assert prompting.engine.facts()["circuits"] == {"scripted": "open"}
    assert await prompting.work() == 0
    with pytest.raises(RuntimeError, match="scripted does not answer"):
        await prompting.engine.check()
    await asyncio.sleep(3.05)
    # One finds out, then all the others follow.
    assert [await prompting.work() for _ in range(2)] == [1, 5]
    assert await prompting.jobs() == [("verdict", "")] * 6


async def test_segments_that_are_never_answered_do_not_keep_a_model_from_the_others(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    own = {"analyzer_circuit_failures": 2, "analyzer_circuit_rest": timedelta(milliseconds=20)}
    prompting = make(prompt_pass(attempts=9), **own)
    for name in ("poison", "venom", "good"):
        await tables.say(name, own_talk(name))
    for name in ("poison", "venom"):
        await prompting.read(sealed(name, own_talk(name)))
    prompting.model.acts(ModelUnavailable("timeout"), ModelUnavailable("timeout"))
    assert await prompting.work() == 2
    assert prompting.engine.facts()["circuits"] != {}
    # The others are older, and go on failing where they are asked about.
    await prompting.read(sealed("good", own_talk("good")))
    await prompting.lapse()
    await eventually(prompting.work, timeout=5, every=0.02)
    assert (await prompting.job_of("good"))["state"] == "verdict"
    assert prompting.engine.facts()["circuits"] == {}


async def test_where_there_is_no_other_segment_one_that_failed_finds_out(
    make: Callable[..., Prompting], tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    own = {"analyzer_circuit_failures": 1, "analyzer_circuit_rest": timedelta(milliseconds=20)}
    prompting = make(**own)
    await tables.say("c", talk("c"))
    await prompting.read(sealed("c", talk("c")))
    prompting.model.acts(ModelUnavailable("timeout"))
    await prompting.work()
    await prompting.lapse()
    await eventually(prompting.work, timeout=5, every=0.02)
    assert await prompting.jobs() == [("verdict", "")]


@pytest.mark.parametrize(
    ("reason", "circuits"),
    [("timeout", "closed"), ("unavailable", "closed"), ("rate_limited", "open")],
)
async def test_one_segment_alone_opens_no_circuit_unless_it_cannot_be_to_blame(
    make: Callable[..., Prompting], tables: Tables, reason: str, circuits: str
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    prompting = make(prompt_pass(attempts=9), analyzer_circuit_failures=3)
    await tables.say("c", talk("c"))
    await prompting.read(sealed("c", talk("c")))
    prompting.model.otherwise = ModelUnavailable(reason)
    for _ in range(3):
        await prompting.lapse()
        assert await prompting.work() == 1
    assert prompting.engine.facts()["circuits"] == {"scripted": circuits}


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


def _fingerprints(prompting: Prompting) -> list[str]:
    return [one.fingerprint for one in prompting.passes]


def _slots() -> Slots:
    return Slots(1, 1)
