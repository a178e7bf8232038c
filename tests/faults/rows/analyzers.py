"""Analyzers are killed in the middle of calls that a provider counts."""

import asyncio
from functools import partial
from random import Random
from typing import Any, Final

from parley import clock
from parley.db import pool as database
from parley.log.producer import Producer
from tests.faults.row import Findings, Row
from tests.faults.scene import started
from tests.faults.stage import Stage
from tests.integration.analyzer.provided import (
    COST_MICRO_USD,
    Reckoning,
    ask_of_everybody,
    asks,
    reckon,
)
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    own_talk,
    seal_to_publish,
    sealed,
)
from tests.support.acts import Answers
from tests.support.processes import ServiceProcess
from tests.support.provider import Provider, running_provider
from tests.support.wait import eventually

JOBS_EACH: Final = 100
IN_FLIGHT: Final = 16
OWN: Final = {"PARLEY_ANALYZER_CALLS": str(IN_FLIGHT), "PARLEY_ANALYZER_LIVE_CALLS": "0"}
PATIENCE_S: Final = 120.0

DONE: Final = (
    "SELECT count(*) FROM operations.jobs WHERE pass_name = 'asking' AND state = 'verdict'"
)
WAITING: Final = "SELECT count(*) FROM outbox WHERE published_at IS NULL"


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Kill it at any moment of each hundred jobs, start it again, and see all of them end."""
    chance = Random(first)
    async with stage.fresh() as settings, running_provider() as provider:
        provider.otherwise, provider.keeps_requests = Answers(after_s=0.02), False
        pool = await database.connect(settings)
        try:
            await ask_of_everybody(settings)
            tables = Tables(pool, settings)
            await seal_talks(tables, count * JOBS_EACH)
            one = ServiceProcess("analyzer", settings, **asks(provider, **OWN))
            catch_ups_s = []
            async with started(one):
                for number in range(count):
                    # A hundred at a time, so that every kill finds some under way.
                    await tables.persister_is_at(DECIDED_OFFSET + (number + 1) * JOBS_EACH)
                    done = number * JOBS_EACH + chance.randrange(JOBS_EACH - IN_FLIGHT)
                    await eventually(partial(has_done, pool, done), PATIENCE_S, every=0.01)
                    await asyncio.to_thread(one.kill)
                    began_at, wanted = clock.monotonic(), (number + 1) * JOBS_EACH
                    await asyncio.to_thread(one.start)
                    await eventually(partial(has_done, pool, wanted), PATIENCE_S)
                    catch_ups_s.append(clock.monotonic() - began_at)
                await eventually(lambda: is_settled(pool, count * JOBS_EACH), PATIENCE_S)
            found = await reckon(settings, pool)
        finally:
            pool.terminate()
    return findings(found, provider, count, catch_ups_s)


def findings(
    found: Reckoning, provider: Provider, kills: int, catch_ups_s: list[float]
) -> Findings:
    """One verdict for each job, at most one more call for each job in flight, all of it counted."""
    jobs = kills * JOBS_EACH
    problems = []
    extra = provider.call_count - jobs
    if extra > kills * IN_FLIGHT:
        problems.append(f"{extra} calls more than jobs, for {kills} kills with {IN_FLIGHT} calls")
    most = max(provider.calls_by_prompt.values())
    if most > 1 + kills:
        problems.append(f"{most} calls for one job")
    if found.charges < provider.call_count:
        problems.append(f"{provider.call_count} calls, and {found.charges} reservations")
    if found.spent_micro_usd < provider.call_count * COST_MICRO_USD:
        problems.append(f"{found.spent_micro_usd} counted, {provider.call_count} calls made")
    return Findings(
        acknowledged=jobs,
        lost=jobs - len(found.verdicts),
        doubled=sum(count != 1 for count in found.verdicts.values()),
        longest_catch_up_s=max(catch_ups_s, default=None),
        problems=tuple(problems),
        more={"calls": provider.call_count, "charges": found.charges, "extra_calls": extra},
    )


async def seal_talks(tables: Tables, count: int) -> None:
    """So many sealed segments; each job waits until the persister has passed its seal's offset."""
    producer = Producer(tables.settings)
    await producer.start()
    try:
        for number in range(count):
            name = f"c{number}"
            await tables.say(name, own_talk(name, 2))
            seal = sealed(name, own_talk(name, 2), decided_offset=DECIDED_OFFSET + number)
            await producer.send(seal_to_publish(tables.settings, seal))
    finally:
        await producer.stop()


async def has_done(pool: Any, count: int) -> bool:
    return bool(await pool.fetchval(DONE) >= count)


async def is_settled(pool: Any, count: int) -> bool:
    return await has_done(pool, count) and not await pool.fetchval(WAITING)


ROW: Final = Row(
    "analyzer-kill",
    "kill -9 of the analyzer in the middle of calls, 100 jobs each: one verdict, spend counted",
    unit="kills",
    full=200,
    short=1,
    at_once=10,
    run=run,
)
