"""Budgets: nothing is overspent, a share is kept for live jobs, and what does not fit waits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from parley import clock
from parley.analyses import ChargeRecorded, Lane
from parley.passes.definition import PassDefinition
from services.analyzer.settings import AnalyzerSettings
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import DECIDED_OFFSET, Tables, own_talk, sealed, talk
from tests.unit.analyzer.fake_model import FakeModel, Gives, prompt_pass

pytestmark = pytest.mark.integration

RUN = "3f8b8a52-0000-4000-8000-000000000001"


def with_budget(micro_usd: int) -> PassDefinition:
    return prompt_pass(daily_budget_micro_usd=micro_usd)


@pytest.fixture
def make(pool: Any, own_settings: AnalyzerSettings) -> Callable[..., Prompting]:
    def build(budget: int, model: FakeModel | None = None, worker_id: str = "w") -> Prompting:
        # An answer costs all that was reserved.
        made = model or FakeModel(otherwise=Gives(cost=100), estimate=100)
        return Prompting(pool, own_settings, made, [with_budget(budget)], worker_id)

    return build


@pytest.fixture
async def insert(tables: Tables) -> Callable[..., Any]:
    """Jobs of so many segments."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)

    async def of(prompting: Prompting, count: int, name: str = "c", **job: Any) -> None:
        for number in range(count):
            conversation = f"{name}{number}"
            await tables.say(conversation, own_talk(conversation))
            await prompting.read(sealed(conversation, own_talk(conversation)), **job)

    return of


async def count(prompting: Prompting, state: str, reason: str = "") -> int:
    return (await prompting.jobs()).count((state, reason))


async def test_what_does_not_fit_is_parked_and_never_called(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(250)
    await insert(prompting, 4)
    await prompting.work()
    assert (await count(prompting, "verdict"), await count(prompting, "parked", "budget")) == (2, 2)
    assert prompting.model.call_count == 2
    assert await prompting.spent() == (200, 0)
    # The attempts do not count, and nothing has changed.
    assert (
        await prompting.pool.fetchval(
            "SELECT sum(released_count) FROM operations.jobs WHERE state = 'parked'"
        )
        == 2
    )
    assert await prompting.resuming.look() == 0


async def test_many_workers_at_once_never_overspend(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    model = FakeModel(otherwise=Gives(cost=100), estimate=100)
    workers = [make(1_050, model, f"w{number}") for number in range(8)]
    await insert(workers[0], 40)
    for _ in range(4):
        await asyncio.gather(*(worker.work() for worker in workers))
    assert model.call_count == 10
    assert await workers[0].spent() == (1_000, 0)
    assert await count(workers[0], "parked", "budget") == 30
    assert await count(workers[0], "verdict") == 10


async def test_a_greater_budget_lets_as_many_go_on_as_fit(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(200)
    await insert(prompting, 5)
    await prompting.work()
    richer = make(400, prompting.model)
    assert await richer.resuming.look() == 2
    await richer.work()
    assert await count(richer, "verdict") == 4
    assert await count(richer, "parked", "budget") == 1


async def test_a_job_that_fits_into_no_budget_holds_up_none_behind_it(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(200)
    await insert(prompting, 5)
    await prompting.work()
    # The first one in the line.
    await prompting.pool.execute(
        "UPDATE operations.jobs SET estimated_micro_usd = 10000, due_at = now() - interval '1 h'"
        " WHERE (segment_id, revision) = (SELECT segment_id, revision FROM operations.jobs"
        " WHERE state = 'parked' ORDER BY segment_id LIMIT 1)"
    )
    richer = make(600, prompting.model)
    assert await richer.resuming.look() == 2
    await richer.work()
    assert await count(richer, "verdict") == 4
    assert await count(richer, "parked", "budget") == 1


async def test_the_next_utc_day_has_a_budget_of_its_own(
    make: Callable[..., Prompting], insert: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompting = make(200)
    await insert(prompting, 4)
    await prompting.work()
    assert await count(prompting, "parked", "budget") == 2
    tomorrow = clock.now() + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    assert await prompting.resuming.look() == 2
    await prompting.work()
    assert await count(prompting, "verdict") == 4
    days = await prompting.pool.fetch("SELECT live_micro_usd FROM operations.budget_days")
    assert [row["live_micro_usd"] for row in days] == [200, 200]


async def test_calls_that_cost_less_than_reserved_make_room(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(200, FakeModel(otherwise=Gives(cost=10), estimate=100))
    await insert(prompting, 4)
    for _ in range(4):
        await prompting.work()
        await prompting.resuming.look()
    assert await count(prompting, "verdict") == 4
    assert await prompting.spent() == (40, 0)


async def test_what_a_first_answer_did_not_cost_is_there_for_its_repair(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(130, FakeModel(otherwise=Gives(calls=2, cost=30), estimate=100))
    await insert(prompting, 1)
    await prompting.work()
    assert await count(prompting, "verdict") == 1
    assert await prompting.spent() == (60, 0)


async def test_where_the_repair_does_not_fit_the_first_answer_counts_as_what_it_cost(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(120, FakeModel(otherwise=Gives(calls=2, cost=30), estimate=100))
    await insert(prompting, 1)
    await prompting.work()
    assert await count(prompting, "parked", "budget") == 1
    assert await prompting.spent() == (30, 0)
    charges = [one.charge for one in await prompting.told() if isinstance(one, ChargeRecorded)]
    assert charges[-1].actual_micro_usd == 30
    # There is no room for both, so a first answer is not paid for in vain again and again.
    assert await prompting.resuming.look() == 0
    richer = make(160, prompting.model)
    assert await richer.resuming.look() == 1
    await richer.work()
    assert await count(richer, "verdict") == 1
    assert await richer.spent() == (90, 0)


async def test_a_backfill_leaves_half_for_live_jobs(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(400)
    await insert(prompting, 4, "old", lane=Lane.BACKFILL, backfill_run_id=RUN)
    await prompting.work()
    assert await prompting.spent() == (0, 200)
    assert await count(prompting, "parked", "budget") == 2
    assert await prompting.resuming.look() == 0
    await insert(prompting, 3, "new")
    await prompting.work()
    assert await prompting.spent() == (200, 200)


async def test_tenants_and_passes_have_budgets_of_their_own(
    make: Callable[..., Prompting], insert: Callable[..., Any], tables: Tables
) -> None:
    prompting = make(100)
    await insert(prompting, 2)
    await prompting.work()
    await tables.say("d", talk("d"))
    await tables.pool.execute(
        "UPDATE conversation_messages SET tenant_id = 'other' WHERE conversation_id = 'd'"
    )
    await prompting.read(sealed("d", talk("d"), tenant_id="other"))
    await prompting.work()
    assert await count(prompting, "verdict") == 2
    other = replace(with_budget(100), name="other_pass")
    more = Prompting(prompting.pool, prompting.settings, prompting.model, [other])
    await more.read(sealed("c0", talk("c0")))
    await more.work()
    assert await count(more, "verdict") == 3


async def test_without_a_budget_spend_is_counted_all_the_same(
    pool: Any, own_settings: AnalyzerSettings, insert: Callable[..., Any]
) -> None:
    prompting = Prompting(pool, own_settings, FakeModel())
    await insert(prompting, 2)
    await prompting.work()
    assert await prompting.spent() == (80, 0)


async def test_a_backfill_spends_no_more_than_its_own_budget_until_that_is_raised(
    make: Callable[..., Prompting], insert: Callable[..., Any]
) -> None:
    prompting = make(10_000)
    await prompting.pool.execute(
        "INSERT INTO operations.backfill_runs (id, passes, is_newest_first, is_from_segments,"
        " concurrency, budget_micro_usd, started_by)"
        " VALUES ($1, '[]', false, false, 9, 250, 'ada')",
        RUN,
    )
    await insert(prompting, 5, lane=Lane.BACKFILL, backfill_run_id=RUN)
    await prompting.work()
    assert await prompting.spent() == (0, 200)
    assert await count(prompting, "parked", "budget_of_backfill") == 3
    assert await prompting.resuming.look() == 0
    await prompting.pool.execute("UPDATE operations.backfill_runs SET budget_micro_usd = 400")
    assert await prompting.resuming.look() == 2
    await prompting.work()
    assert await prompting.spent() == (0, 400)
