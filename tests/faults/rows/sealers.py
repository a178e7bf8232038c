"""Sealers are killed and stopped while late, repeated and revised talk comes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from parley import clock
from parley.db import pool as database
from parley.events import MessageRecorded
from parley.seals import Seal
from parley.settings import Settings
from tests.faults.row import Findings, Row
from tests.faults.scene import started
from tests.faults.stage import Stage
from tests.integration.sealer.traffic import (
    Traffic,
    count_members,
    log_ends,
    published,
    quiet,
    read_on,
    undisturbed,
    without_repeats,
)
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

OWN: Final = {"PARLEY_SEALER_SAVE_INTERVAL": "0.2", "PARLEY_SEALER_BATCH_RECORDS": "50"}
OWNERS: Final = "SELECT count(DISTINCT owner) FROM fences WHERE consumer = 'sealer'"


@dataclass(slots=True)
class Talk:
    """One go of a row: traffic on topics and tables of its own."""

    settings: Settings
    pool: Any
    traffic: Traffic
    sending: asyncio.Task[None]
    stop: asyncio.Event
    catch_ups_s: list[float] = field(default_factory=list)

    async def catch_up(self) -> None:
        """Wait until what is in the log now is sealed as far as it goes."""
        began_at = clock.monotonic()
        await read_on(self.pool, await log_ends(self.settings))
        self.catch_ups_s.append(clock.monotonic() - began_at)

    async def settle(self) -> Findings:
        """End the traffic, wait until all is sealed, and compare with one run in memory."""
        self.stop.set()
        await self.sending
        await quiet(self.settings, self.pool)
        seals = await published(self.settings)
        said = {one.event_id for one in self.traffic.sent if isinstance(one.body, MessageRecorded)}
        expected = await undisturbed(self.settings)
        return Findings(
            acknowledged=len(self.traffic.sent),
            longest_catch_up_s=max(self.catch_ups_s, default=None),
            problems=differences(without_repeats(seals), expected, len(said)),
            more={"seals": len(expected), "published_again": len(seals) - len(expected)},
        )


def differences(
    found: Sequence[Seal], expected: Sequence[Seal], said_count: int
) -> tuple[str, ...]:
    """What is not as in an undisturbed run."""
    missing, others = set(expected) - set(found), set(found) - set(expected)
    problems = []
    if missing or others:
        problems.append(f"{len(missing)} seals are missing, {len(others)} are others")
    elif found != expected:
        problems.append("the seals come in another order")
    if count_members(found) != said_count:
        problems.append(f"{count_members(found)} messages in segments, {said_count} said")
    return tuple(problems)


@asynccontextmanager
async def talk(stage: Stage, seed: int) -> AsyncIterator[Talk]:
    """New topics, new tables, and traffic on them."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        traffic, stop = Traffic(settings, Random(seed)), asyncio.Event()
        sending = asyncio.create_task(traffic.run(stop))
        try:
            yield Talk(settings, pool, traffic, sending, stop)
        finally:
            stop.set()
            await sending
            pool.terminate()


async def kill(stage: Stage, first: int, count: int) -> Findings:
    """Kill it at any moment, start it again, and see it catch up."""
    chance = Random(first)
    async with talk(stage, first) as now:
        one = ServiceProcess("sealer", now.settings, **OWN)
        async with started(one):
            for _ in range(count):
                await asyncio.sleep(chance.uniform(0.2, 2.0))
                await asyncio.to_thread(one.kill)
                one.start(wait=False)
                await now.catch_up()
            return await now.settle()


async def pause(stage: Stage, first: int, count: int) -> Findings:
    """Of two, one stops until the other one has taken over, and goes on with what it holds."""
    chance = Random(first)
    async with talk(stage, first) as now:
        pair = [ServiceProcess("sealer", now.settings, **OWN) for _ in range(2)]
        async with started(*pair):
            pids = [one.pid for one in pair]
            for number in range(first, first + count):
                await eventually(lambda: both_own(now.pool), timeout=60)
                await asyncio.sleep(chance.uniform(0.0, 0.5))
                victim = pair[number % 2]
                victim.pause()
                # Longer than the session timeout: the other one reads the victim's partitions.
                await asyncio.sleep(now.settings.session_timeout.total_seconds() + 1)
                await now.catch_up()
                victim.resume()
                await now.catch_up()
            found = await now.settle()
            assert [one.pid for one in pair] == pids
            assert all(one.is_running for one in pair), "nobody ended by itself"
    return found


async def both_own(pool: Any) -> bool:
    owners: int = await pool.fetchval(OWNERS)
    return owners == 2


ROWS = (
    Row(
        "sealer-kill",
        "kill -9 of the sealer under traffic: the seals of an undisturbed run, each once",
        unit="kills",
        full=100,
        short=0,
        at_once=10,
        run=kill,
    ),
    Row(
        "sealer-pause",
        "SIGSTOP beyond the session timeout, beside a second sealer: the same seals, nobody ends",
        unit="pauses",
        full=50,
        short=1,
        at_once=10,
        run=pause,
    ),
)
