"""One run of many jobs that all may be claimed at the same moment, seen from outside."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.request import urlopen

from benchmarks.analyzer.passes import put_in_force
from benchmarks.analyzer.segments import say_and_seal
from benchmarks.processes import (
    LoadFailed,
    cpu_seconds,
    peak_rss_bytes,
    rss_bytes,
    tree_cpu_seconds,
)
from benchmarks.sealing.runs import Servers
from parley import clock
from parley.analyses import JobEndKind
from parley.db import pool as database
from parley.db.pool import Pool
from parley.db.sql import load
from parley.log.admin import topic_ends
from parley.passes.definition import PassDefinition
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.analyzer.stage import DECIDED_OFFSET, Analyses, Tables
from tests.support.processes import ServiceProcess

SQL: Final = load(__package__)
TIMEOUT_S: Final = 300.0
POLL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class JobsRun:
    """What was found; CPU seconds are per 1,000 jobs."""

    jobs_per_second: float
    cpu_seconds: float
    postgres_cpu_seconds: float
    broker_cpu_seconds: float
    peak_rss_bytes: int
    rss_bytes: int
    """Of the analyzer, when all was done."""


async def run(
    settings: Settings,
    servers: Servers,
    definition: PassDefinition,
    count: int,
    variables: dict[str, str],
) -> JobsRun:
    """Let an analyzer know all the jobs, and then let it claim them; raises LoadFailed.

    The rate is taken from the first moment at which some have ended, without these, to the one at
    which all have and their ends are in the log. Processor seconds are counted until the analyzer
    has read these back, as it does in production.
    """
    pool = await database.connect(settings)
    try:
        await put_in_force(settings, definition)
        await say_and_seal(settings, pool, count)
        process = ServiceProcess("analyzer", settings, **variables)
        await asyncio.to_thread(process.start)
        try:
            found = await _watch(settings, pool, servers, process, count)
        finally:
            await asyncio.to_thread(process.__exit__, None, None, None)
        await _check(settings, count)
    finally:
        pool.terminate()
    return found


async def _watch(
    settings: Settings, pool: Pool, servers: Servers, process: ServiceProcess, count: int
) -> JobsRun:
    topic = settings.topic(Topic.ANALYSES)

    async def first() -> int:
        done: int = await pool.fetchval(SQL["verdict_count"])
        return done

    async def is_told() -> bool:
        is_done = await pool.fetchval(SQL["verdict_count"]) == count
        return is_done and not await pool.fetchval(SQL["unpublished_count"])

    async def is_read_back() -> bool:
        end = sum(one.end for one in await topic_ends(settings, topic))
        return bool(await pool.fetchval(SQL["read_back"], topic) >= end)

    async def are_known() -> bool:
        return bool(await pool.fetchval(SQL["job_count"]) == count)

    await until(process, are_known)
    await Tables(pool, settings).persister_is_at(DECIDED_OFFSET + 1)
    before = await until(process, first)
    began_s, used = clock.monotonic(), _used(process.pid, servers)
    await until(process, is_told)
    took_s = clock.monotonic() - began_s
    await until(process, is_read_back)
    share = 1_000 / (count - before)
    used_at_end = _used(process.pid, servers)
    own, postgres, broker = (
        (after - before_it) * share for after, before_it in zip(used_at_end, used, strict=True)
    )
    return JobsRun(
        jobs_per_second=(count - before) / took_s,
        cpu_seconds=own,
        postgres_cpu_seconds=postgres,
        broker_cpu_seconds=broker,
        peak_rss_bytes=peak_rss_bytes(process.pid),
        rss_bytes=rss_bytes(process.pid),
    )


def _used(pid: int, servers: Servers) -> list[float]:
    return [
        cpu_seconds(pid),
        tree_cpu_seconds(servers.postgres_pid),
        cpu_seconds(servers.kafka_pid),
    ]


async def until(
    process: ServiceProcess, question: Callable[[], Awaitable[int]], every_s: float = POLL_S
) -> int:
    """The first answer that is not 0; raises LoadFailed where the process ends before."""
    deadline_s = clock.monotonic() + TIMEOUT_S
    while not (answer := await question()):
        if not process.is_running:
            raise LoadFailed(f"the analyzer ended:\n{process.output[-2_000:]}")
        if clock.monotonic() > deadline_s:
            raise LoadFailed(f"not done within {TIMEOUT_S:g} s:\n{process.output[-2_000:]}")
        await asyncio.sleep(every_s)
    return answer


async def _check(settings: Settings, count: int) -> None:
    """Raises LoadFailed unless the log holds one verdict of each job."""
    async with Analyses(settings) as analyses:
        ends = await analyses.read()
    once = sum([one.end for one in found] == [JobEndKind.VERDICT] for found in ends.values())
    if (once, len(ends)) != (count, count):
        raise LoadFailed(f"{once:,} jobs with one verdict, of {len(ends):,}, instead of {count:,}")


def answer_count(port: int) -> int:
    """How many answers the provider has given."""
    with urlopen(f"http://127.0.0.1:{port}/", timeout=5) as told:
        return int(told.read())
