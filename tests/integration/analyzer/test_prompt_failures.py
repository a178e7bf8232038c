"""Prompt jobs whose calls fail: which attempts count, and when the circuit opens and closes."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from parley.analyses import JobEndKind
from services.analyzer.core.charges import MAYBE_PAID
from services.analyzer.model.contract import (
    ModelUnavailable,
)
from services.analyzer.prompts import asking
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    own_talk,
    sealed,
    talk,
)
from tests.support.wait import eventually
from tests.unit.analyzer.fake_model import Gives, prompt_pass

pytestmark = pytest.mark.integration


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
