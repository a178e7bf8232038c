"""What a backfill of many segments costs, and what it costs live ones."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import quantiles
from typing import Final

from benchmarks.analyzer.jobs import SQL, until
from benchmarks.analyzer.passes import CODE, WHO, put_in_force, waiting
from benchmarks.processes import (
    LoadFailed,
    cpu_seconds,
    peak_rss_bytes,
    rss_bytes,
    tree_cpu_seconds,
)
from benchmarks.sealing.runs import Servers
from parley import clock
from parley.backfilling import runs
from parley.backfilling.core import BackfillPass
from parley.backfilling.request import MOST_CONCURRENCY
from parley.db import pool as database
from parley.passes.applied import AppliedPass
from parley.passes.definition import PassDefinition
from parley.settings import Settings
from tests.integration.backfilling.live import seconds_to_verdicts
from tests.integration.backfilling.past import Past, past
from tests.support.processes import ServiceProcess

# Live segments of one measurement, and how many are sealed in a second.
LIVE: Final = 300
LIVE_PER_SECOND: Final = 20
WARM: Final = 100
MESSAGES: Final = 2
SEALED_AT_ONCE: Final = 2_000
POLL_S: Final = 0.05

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LatencyRun:
    """Seconds from a seal's append to its verdict's, of live segments at a fixed rate."""

    p50_s: float
    p95_s: float
    p99_s: float
    cpu_share: float
    """Of one core, by the analyzer in that time, with all that it did besides."""


@dataclass(frozen=True, slots=True)
class EnqueueRun:
    """Segments into jobs; CPU seconds are per 100,000 segments."""

    segments_per_second: float
    cpu_seconds: float
    postgres_cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class BackfillFindings:
    """All runs, and what the analyzer's process held after everything."""

    alone: tuple[LatencyRun, ...]
    beside: tuple[LatencyRun, ...]
    enqueuing: tuple[EnqueueRun, ...]
    ended_beside: int
    """Jobs of the backfill that ended while live segments were measured beside it."""
    rss_bytes: int
    peak_rss_bytes: int


async def run(
    settings: Settings, servers: Servers, segment_count: int, rounds: int, say: Say
) -> BackfillFindings:
    """Measure `rounds` times each, in turns, on one past; raises LoadFailed."""
    pool = await database.connect(settings)
    try:
        async with past(settings, pool) as then:
            await _make_past(then, segment_count, say)
            await put_in_force(settings, CODE)
            with ServiceProcess("analyzer", settings) as analyzer:
                await _live(then, analyzer, "warm", WARM)
                alone, beside, ended = await _latencies(then, analyzer, rounds, say)
                enqueuing = [
                    await _enqueue(then, analyzer, servers, segment_count, number, say)
                    for number in range(rounds)
                ]
                held = rss_bytes(analyzer.pid), peak_rss_bytes(analyzer.pid)
    finally:
        pool.terminate()
    return BackfillFindings(tuple(alone), tuple(beside), tuple(enqueuing), ended, *held)


async def _make_past(then: Past, count: int, say: Say) -> None:
    """Segments in the log and in the tables, of which no pass knows yet."""
    say(f"sealing {count:,} segments of the past")
    for first in range(0, count, SEALED_AT_ONCE):
        some = range(first, min(first + SEALED_AT_ONCE, count))
        await then.seal([f"old-{number}" for number in some], messages=MESSAGES)
    then.sealed.clear()


async def _latencies(
    then: Past, analyzer: ServiceProcess, rounds: int, say: Say
) -> tuple[list[LatencyRun], list[LatencyRun], int]:
    alone, beside, run_id = [], [], ""
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}: live segments without a backfill")
        alone.append(await _live(then, analyzer, f"alone{number}", LIVE))
        if not run_id:
            run_id = await then.begin(_of(CODE))
        else:
            await runs.act(then.pool, run_id, runs.Act.RESUME, WHO)
        before = await _until_more_ended(then, run_id, analyzer)
        say(f"round {number + 1} of {rounds}: live segments beside a backfill, {before:,} ended")
        beside.append(await _live(then, analyzer, f"beside{number}", LIVE))
        after = await then.progress(run_id)
        if after.run.enqueued_at is not None:
            raise LoadFailed("the backfill was over before the measurement was")
        await runs.act(then.pool, run_id, runs.Act.PAUSE, WHO)
        await until(analyzer, lambda: _nothing_is_at_work(then))
    return alone, beside, (await then.progress(run_id)).ended


async def _live(then: Past, analyzer: ServiceProcess, name: str, count: int) -> LatencyRun:
    used, began_s = cpu_seconds(analyzer.pid), clock.monotonic()
    found = await seconds_to_verdicts(then, name, CODE.name, count, 1 / LIVE_PER_SECOND)
    share = (cpu_seconds(analyzer.pid) - used) / (clock.monotonic() - began_s)
    if len(found) != count:
        raise LoadFailed(f"{len(found)} verdicts of {count} live segments")
    parts = quantiles(found, n=100)
    return LatencyRun(parts[49], parts[94], parts[98], share)


async def _until_more_ended(then: Past, run_id: str, analyzer: ServiceProcess) -> int:
    before = (await then.progress(run_id)).ended

    async def more() -> int:
        ended = (await then.progress(run_id)).ended
        return ended if ended > before else 0

    return await until(analyzer, more)


async def _nothing_is_at_work(then: Past) -> bool:
    return not await then.pool.fetchval(SQL["at_work_count"])


async def _enqueue(
    then: Past,
    analyzer: ServiceProcess,
    servers: Servers,
    segment_count: int,
    number: int,
    say: Say,
) -> EnqueueRun:
    """Jobs of a pass that is suspended: they are made, and nobody is at them meanwhile."""
    say(f"run {number + 1}: {segment_count:,} segments into jobs")
    definition = waiting(number)
    await put_in_force(then.settings, definition)
    await then.pool.execute(SQL["suspend"], definition.fingerprint, definition.name)
    run_id = await then.begin(_of(definition), concurrency=MOST_CONCURRENCY, limit=None)

    async def count() -> int:
        enqueued: int = await then.pool.fetchval(SQL["enqueued"], run_id)
        return enqueued

    first = await until(analyzer, count, POLL_S)
    began_s = clock.monotonic()
    used = cpu_seconds(analyzer.pid), tree_cpu_seconds(servers.postgres_pid)

    async def are_all_there() -> bool:
        return await count() >= segment_count

    await until(analyzer, are_all_there, POLL_S)
    took_s = clock.monotonic() - began_s
    share = 100_000 / (segment_count - first)
    return EnqueueRun(
        (segment_count - first) / took_s,
        (cpu_seconds(analyzer.pid) - used[0]) * share,
        (tree_cpu_seconds(servers.postgres_pid) - used[1]) * share,
        peak_rss_bytes(analyzer.pid),
    )


def _of(definition: PassDefinition) -> BackfillPass:
    return BackfillPass.of(AppliedPass.of(definition))
