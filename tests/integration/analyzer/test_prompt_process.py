"""Prompt jobs in processes of their own, with a provider that counts its calls."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random

import pytest

from parley.passes.definition import PassDefinition
from parley.passes.publishing import resume
from parley.settings import Settings
from tests.integration.analyzer.provided import (
    ASKING,
    COST_MICRO_USD,
    ask_of_everybody,
    asks,
    reckon,
)
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    own_talk,
    publish_seals,
    sealed,
)
from tests.support.acts import Answers, Refuses, Stalls
from tests.support.passes import OPERATOR
from tests.support.processes import ServiceProcess, health
from tests.support.provider import Provider, running_provider
from tests.support.wait import eventually

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

IN_FLIGHT = 4
OWN = {"PARLEY_ANALYZER_CALLS": str(IN_FLIGHT), "PARLEY_ANALYZER_LIVE_CALLS": "0"}


async def seal_talks(tables: Tables, count: int, definition: PassDefinition = ASKING) -> None:
    await ask_of_everybody(tables.settings, definition)
    seals = []
    for number in range(count):
        await tables.say(f"c{number}", own_talk(f"c{number}", 2))
        decided = DECIDED_OFFSET + number
        seals.append(sealed(f"c{number}", own_talk(f"c{number}", 2), decided_offset=decided))
    await publish_seals(tables.settings, seals)


async def states(tables: Tables) -> dict[str, int]:
    rows = await tables.pool.fetch(
        "SELECT state, count(*) AS n FROM operations.jobs WHERE pass_name = 'asking' GROUP BY state"
    )
    return {row["state"]: row["n"] for row in rows}


async def is_settled(tables: Tables, count: int) -> bool:
    waiting = await tables.pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return await states(tables) == {"verdict": count} and not waiting


async def test_two_workers_that_are_killed_in_calls_make_at_most_one_more_call_each(
    settings: Settings, tables: Tables
) -> None:
    segments, kills, chance = 60, 5, Random(7)
    async with running_provider() as provider:
        provider.otherwise = Answers(after_s=0.05)
        await seal_talks(tables, segments)
        with ExitStack() as stack:
            pair = [ServiceProcess("analyzer", settings, **asks(provider, **OWN)) for _ in range(2)]
            for one in pair:
                await asyncio.to_thread(stack.enter_context, one)
            for kill in range(kills):
                wanted = provider.call_count + 4
                await tables.persister_is_at(DECIDED_OFFSET + segments * (kill + 1) // kills)
                await eventually(partial(has_called, provider, wanted), every=0.005)
                await asyncio.sleep(chance.uniform(0, 0.05))
                victim = pair[kill % 2]
                await asyncio.to_thread(victim.kill)
                await asyncio.to_thread(victim.start)
            await eventually(lambda: is_settled(tables, segments), timeout=90)
        found = await reckon(settings, tables.pool)
    assert found.verdicts == dict.fromkeys(found.verdicts, 1)
    assert len(found.verdicts) == segments
    assert segments < provider.call_count <= segments + kills * IN_FLIGHT
    # Each call was counted before it was made; what was cut off counts at least as what it cost.
    assert found.charges >= provider.call_count
    assert found.spent_micro_usd >= provider.call_count * COST_MICRO_USD


async def has_called(provider: Provider, count: int) -> bool:
    return provider.call_count >= count


async def test_a_key_that_is_refused_suspends_the_pass_and_a_new_one_goes_on(
    settings: Settings, tables: Tables
) -> None:
    async with running_provider() as provider:
        provider.otherwise = Refuses(401, "invalid_api_key")
        await seal_talks(tables, 6)
        await tables.persister_is_at(DECIDED_OFFSET + 6)
        with ServiceProcess("analyzer", settings, **asks(provider, **OWN)) as analyzer:

            async def is_told() -> bool:
                told = health(analyzer.url)
                return bool(told["services"]["suspended_passes"])

            await eventually(is_told)
            calls = provider.call_count
            assert calls <= IN_FLIGHT
            await asyncio.sleep(1)
            assert provider.call_count == calls
            assert await states(tables) == {"open": 6}
            provider.otherwise = Answers()
            assert await asyncio.to_thread(analyzer.stop) == 0
        with ServiceProcess("analyzer", settings, **asks(provider, **OWN)):
            await eventually(lambda: is_settled(tables, 6), timeout=60)
        found = await reckon(settings, tables.pool)
    assert sorted(found.verdicts.values()) == [1] * 6
    assert found.spent_micro_usd == 6 * COST_MICRO_USD
    assert "anything" not in analyzer.output


async def test_a_suspended_pass_that_is_resumed_goes_on_without_a_restart(
    settings: Settings, tables: Tables
) -> None:
    async with running_provider() as provider:
        provider.otherwise = Refuses(401, "invalid_api_key")
        await seal_talks(tables, 6)
        await tables.persister_is_at(DECIDED_OFFSET + 6)
        with ServiceProcess("analyzer", settings, **asks(provider, **OWN)):
            await eventually(lambda: is_suspended(tables))
            # Nothing has changed: it is suspended again.
            calls = provider.call_count
            await resume(settings, "asking", OPERATOR)
            await eventually(partial(has_called, provider, calls + 1))
            await eventually(lambda: is_suspended(tables))
            provider.otherwise = Answers()
            await resume(settings, "asking", OPERATOR)
            await eventually(lambda: is_settled(tables, 6), timeout=60)
        assert not await is_suspended(tables)
        found = await reckon(settings, tables.pool)
    assert sorted(found.verdicts.values()) == [1] * 6
    assert found.spent_micro_usd == 6 * COST_MICRO_USD


async def is_suspended(tables: Tables) -> bool:
    return bool(await tables.pool.fetchval("SELECT count(*) FROM operations.suspensions"))


async def test_a_segment_that_is_never_answered_fails_and_takes_no_other_along(
    settings: Settings, tables: Tables
) -> None:
    async with running_provider() as provider:
        provider.otherwise = Answers()
        provider.rule = lambda asked: Stalls() if asked.says(" of c3") else None
        quick = replace(ASKING, timeout=timedelta(seconds=0.5), attempts=2)
        await seal_talks(tables, 6, quick)
        await tables.persister_is_at(DECIDED_OFFSET + 6)
        own = {**OWN, "PARLEY_ANALYZER_REST": "0.1", "PARLEY_ANALYZER_CALL_REST": "0.1"}
        with ServiceProcess("analyzer", settings, **asks(provider, **own)):

            async def is_over() -> bool:
                return await states(tables) == {"verdict": 5, "failed": 1}

            await eventually(is_over, timeout=60)
            await asyncio.sleep(1)
        assert provider.calls_with(" of c3") == 2
        row = await tables.pool.fetchrow(
            "SELECT reason, failure_count FROM operations.jobs WHERE state = 'failed'"
        )
        assert tuple(row) == ("timeout", 2)
        unsettled = await tables.pool.fetchval(
            "SELECT count(*) FROM operations.charges WHERE actual_micro_usd IS NULL"
        )
        assert unsettled == 2


async def test_an_emptied_database_calls_nobody_again(settings: Settings, tables: Tables) -> None:
    async with running_provider() as provider:
        provider.otherwise = Answers()
        await seal_talks(tables, 8)
        await tables.persister_is_at(DECIDED_OFFSET + 8)
        with ServiceProcess("analyzer", settings, **asks(provider, **OWN)):
            await eventually(lambda: is_settled(tables, 8), timeout=60)
        before = await reckon(settings, tables.pool)
        await tables.pool.execute(
            "TRUNCATE operations.jobs, operations.job_histories, operations.charges,"
            " operations.budget_days, operations.run_spend, operations.memo"
        )
        await tables.pool.execute("DELETE FROM fences WHERE consumer LIKE 'analyzer%'")
        with ServiceProcess("analyzer", settings, **asks(provider, **OWN)):
            await eventually(lambda: is_settled(tables, 8), timeout=60)
            await asyncio.sleep(1)
        assert provider.call_count == 8
        assert await reckon(settings, tables.pool) == before
