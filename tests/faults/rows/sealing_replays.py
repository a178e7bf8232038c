"""The log is sealed again from its start: other batches, other workers, other append times."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any, Final

from parley.codec import Outgoing
from parley.codec.record import APPEND_TIME, EPOCH
from parley.db import pool as database
from parley.log.admin import apply_topics, incarnation_of
from parley.log.producer import Producer
from parley.seals import Seal
from parley.settings import Settings
from parley.topics import Topic
from tests.faults.row import Findings, Row
from tests.faults.rows.sealers import OWN, Talk, talk
from tests.faults.scene import end, started
from tests.faults.stage import Stage
from tests.integration.sealer.traffic import log_ends, published, read_on, without_repeats
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

TALK_S: Final = 20.0
MOST_WORKERS: Final = 4
LEAVING_SHARE: Final = 0.3
KILLED_SHARE: Final = 0.3
COPY: Final = "parley.events.copy"
# Small batches, so that workers come and go in the middle of it; ticks are in the log already.
BASE: Final = {"PARLEY_SEALER_SAVE_INTERVAL": "0.02", "PARLEY_SEALER_TICK_DELAY": "3600"}


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Seal some talk live; then number n seals its log again, the first of all from a copy."""
    async with talk(stage, first) as now:
        async with started(ServiceProcess("sealer", now.settings, **OWN)):
            await asyncio.sleep(TALK_S)
            found = await now.settle()
        expected = without_repeats(await published(now.settings))
        problems = [*found.problems]
        workers: list[int] = []
        for number in range(first, first + count):
            again, worker_count = await replayed(stage, now, number, is_copy=number == 0)
            workers.append(worker_count)
            if again != expected:
                problems.append(f"replay {number}: {len(set(again) ^ set(expected))} seals differ")
    return replace(found, problems=tuple(problems), more={**found.more, "workers": workers})


async def replayed(
    stage: Stage, now: Talk, number: int, *, is_copy: bool
) -> tuple[Sequence[Seal], int]:
    """What new tables and another seals topic hold in the end, and how many workers it took."""
    chance = Random(number)
    async with stage.fresh() as apart:
        names = {Topic.SEALS.value: f"seals-{number}"}
        if is_copy:
            names[Topic.EVENTS.value] = COPY
        settings = now.settings.model_copy(
            update={
                "database_url": apart.database_url,
                "state_dir": apart.state_dir,
                "topic_names": names,
            }
        )
        await apply_topics(settings)
        if is_copy:
            await copy_log(now.settings, settings)
        pool = await database.connect(settings)
        try:
            worker_count = await seal_all(settings, pool, chance)
        finally:
            pool.terminate()
        seals = without_repeats(await published(settings))
    # A copy is another incarnation; all else is the same.
    source = await incarnation_of(now.settings, now.settings.topic(Topic.EVENTS))
    return [replace(one, incarnation=source) for one in seals], worker_count


async def copy_log(source: Settings, copy: Settings) -> None:
    """Every record in its partition, appended now: its header says when it was first."""
    producer = Producer(copy)
    await producer.start()
    try:
        for one in await read_records(source, Topic.EVENTS):
            stamp = (one.append_time() - EPOCH) // timedelta(microseconds=1)
            headers = (*one.headers, (APPEND_TIME, str(stamp).encode()))
            topic, value = copy.topic(Topic.EVENTS), one.value or b""
            await producer.send(Outgoing(topic, one.key, value, headers, one.partition))
    finally:
        await producer.stop()


async def seal_all(settings: Settings, pool: Any, chance: Random) -> int:
    """Seal the whole log with workers that come and go; returns how many there were."""
    ends = await log_ends(settings)
    worker_count = 0
    async with AsyncExitStack() as stack:
        workers: list[ServiceProcess] = []
        reading = asyncio.create_task(read_on(pool, ends))
        most = chance.randint(1, MOST_WORKERS)
        while not reading.done():
            if len(workers) < most:
                one = ServiceProcess("sealer", settings, **BASE, **batches(chance))
                stack.push_async_exit(partial(end, one))
                await asyncio.to_thread(one.start)
                workers.append(one)
                worker_count += 1
            elif chance.random() < LEAVING_SHARE:
                gone = workers.pop(chance.randrange(len(workers)))
                await asyncio.to_thread(gone.kill if chance.random() < KILLED_SHARE else gone.stop)
            await asyncio.wait({reading}, timeout=chance.uniform(0.1, 1.0))
        await reading
        await eventually(lambda: is_published(pool), timeout=30)
    return worker_count


def batches(chance: Random) -> dict[str, str]:
    return {"PARLEY_SEALER_BATCH_RECORDS": str(chance.choice([1, 2, 7, 30, 1_000]))}


async def is_published(pool: Any) -> bool:
    waiting = await pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL")
    return not waiting


ROW = Row(
    "sealing-replays",
    "the log is sealed again from its start with other batches, one to four workers that come and "
    "go, and once from a copy with other append times: the same seals",
    unit="replays",
    full=20,
    short=0,
    at_once=5,
    run=run,
)
