"""Analyzers are killed while a backfill runs over old talk, and live talk goes on beside it."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from random import Random
from statistics import quantiles
from typing import Final

from parley import clock
from parley.db import pool as database
from parley.events import Event
from parley.settings import Settings
from tests.faults.row import Findings, Row
from tests.faults.scene import started
from tests.faults.stage import Stage
from tests.integration.backfilling.live import seconds_to_verdicts
from tests.integration.backfilling.past import NEW, Past, conversations, past
from tests.integration.sealer.traffic import quiet
from tests.support.command import Command
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish, short_policy
from tests.support.wait import eventually

# Old talk as `parley import jsonl` takes it. Where none is given, it is made up.
TALK: Final = os.environ.get("PARLEY_FAULTS_TALK", "")
MADE_UP: Final = 300
OWN: Final = {"PARLEY_ANALYZER_LEASE": "2"}
PATIENCE_S: Final = 600.0
LIVE_EVERY_S: Final = 0.3
# How often live segments are sealed while their latency is measured, and for how long.
MEASURED: Final = 300
SEALED_EVERY_S: Final = 0.1
MOST_TIMES_SLOWER: Final = 2.0
BULK: Final = 2_000

GAPS: Final = """
SELECT count(*) FROM segments AS segment
 WHERE NOT is_retracted AND NOT EXISTS (
         SELECT FROM verdicts AS verdict
          WHERE verdict.tenant_id = segment.tenant_id AND verdict.segment_id = segment.segment_id
            AND verdict.revision = segment.revision AND verdict.pass_name = $1)
"""


async def kill(stage: Stage, first: int, count: int) -> Findings:
    """Begin a backfill of all old segments, and kill the analyzer at any moment of it."""
    chance = Random(first)
    async with stage.fresh() as settings, _old(settings) as then:
        old = await then.pool.fetchval("SELECT count(*) FROM segments WHERE NOT is_retracted")
        await then.apply()
        run_id = await then.begin(concurrency=max(20, old // (2 * count + 2)))
        analyzer = ServiceProcess("analyzer", settings, **OWN)
        async with started(ServiceProcess("sealer", settings), analyzer), _live(settings) as live:
            kills = 0
            for _ in range(count):
                kills += await _kill_after_some(then, analyzer, run_id, chance)
            found = await then.finish(run_id, PATIENCE_S)
            live.set()
            await quiet(settings, then.pool)
            await eventually(lambda: _has_no_gap(then), timeout=PATIENCE_S)
            again = await then.finish(await then.begin(), PATIENCE_S)
        verdicts = await then.pool.fetchval("SELECT count(*) FROM verdicts")
        repeated = verdicts - await then.pool.fetchval(
            "SELECT count(*) FROM (SELECT DISTINCT tenant_id, segment_id, revision, pass_name"
            " FROM verdicts) AS key"
        )
    problems = []
    if found.run.enqueued_count != old or dict(found.jobs) != {"verdict": old}:
        problems.append(f"{old} old segments, {found.run.enqueued_count} jobs: {found.jobs}")
    if again.run.enqueued_count:
        problems.append(f"run again it made {again.run.enqueued_count} jobs")
    if kills < count:
        problems.append(f"{count - kills} kills came after the run had ended")
    return Findings(
        acknowledged=old,
        doubled=repeated,
        problems=tuple(problems),
        more={"old_segments": old, "kills": kills, "live_and_old_verdicts": verdicts},
    )


async def latency(stage: Stage, first: int, count: int) -> Findings:
    """Measure from seal to verdict without a backfill, and with one of so many segments."""
    async with stage.fresh() as settings, _past(settings) as then:
        for begin in range(first, first + count, BULK):
            names = [f"old{number}" for number in range(begin, min(begin + BULK, first + count))]
            await then.seal(names, messages=2)
        await then.apply()
        async with started(ServiceProcess("analyzer", settings)):
            await _measure(then, "warm")
            alone = await _measure(then, "alone")
            run_id = await then.begin()

            async def has_begun() -> bool:
                return (await then.progress(run_id)).ended > 0

            await eventually(has_begun, timeout=60)
            beside = await _measure(then, "beside")
            during = await then.progress(run_id)
            found = await then.finish(run_id, PATIENCE_S)
    problems = []
    if during.run.enqueued_at is not None:
        problems.append("the backfill was over before the measure was")
    if beside > MOST_TIMES_SLOWER * alone:
        problems.append(f"p95 {beside:.3f} s beside the backfill, {alone:.3f} s alone")
    if dict(found.jobs) != {"verdict": count}:
        problems.append(f"{count} segments, {found.jobs}")
    took = (found.run.finished_at or clock.now()) - found.run.created_at
    return Findings(
        acknowledged=count,
        problems=tuple(problems),
        more={
            "p95_s_alone": alone,
            "p95_s_beside": beside,
            "ended_while_measured": during.ended,
            "backfill_s": took.total_seconds(),
        },
    )


async def _measure(then: Past, name: str) -> float:
    """The p95 of the seconds from a seal's append to its verdict's, of live segments."""
    found = await seconds_to_verdicts(then, name, NEW.name, MEASURED, SEALED_EVERY_S)
    assert len(found) == MEASURED
    return quantiles(found, n=20)[-1]


async def _kill_after_some(
    then: Past, analyzer: ServiceProcess, run_id: str, chance: Random
) -> bool:
    """Once the run has gone on, kill it at any moment; whether it was still running."""
    before = await then.progress(run_id)

    async def has_gone_on() -> bool:
        now = await then.progress(run_id)
        return now.run.state.is_over or now.run.enqueued_count > before.run.enqueued_count

    await eventually(has_gone_on, timeout=60, every=0.01)
    await asyncio.sleep(chance.uniform(0.0, 0.3))
    is_running = (await then.progress(run_id)).run.enqueued_at is None
    await asyncio.to_thread(analyzer.kill)
    await asyncio.to_thread(analyzer.start)
    return is_running


async def _has_no_gap(then: Past) -> bool:
    return not await then.pool.fetchval(GAPS, NEW.name)


@asynccontextmanager
async def _past(settings: Settings) -> AsyncIterator[Past]:
    pool = await database.connect(settings)
    try:
        async with past(settings, pool) as then:
            await then.disable_all()
            yield then
    finally:
        pool.terminate()


@asynccontextmanager
async def _old(settings: Settings) -> AsyncIterator[Past]:
    """Old segments, sealed and stored: of real talk where there is some."""
    async with _past(settings) as then:
        async with started(ServiceProcess("sealer", settings)):
            if TALK:
                await asyncio.to_thread(_import, settings, Path(TALK))
            else:
                names = conversations(MADE_UP, "old")
                await publish(settings, [one for name in names for one in _said(name)])
            await quiet(settings, then.pool)
        await then.is_stored()
        yield then


def _import(settings: Settings, path: Path) -> None:
    ended = Command(settings)("import", "jsonl", str(path), "--no-wait", timeout_s=PATIENCE_S)
    assert ended.returncode == 0, ended.stderr.decode()


@asynccontextmanager
async def _live(settings: Settings) -> AsyncIterator[asyncio.Event]:
    """Live talk that is sealed two seconds after it was said, until the event is set."""
    stop = asyncio.Event()
    talking = asyncio.create_task(_talk(settings, stop))
    try:
        yield stop
    finally:
        stop.set()
        await talking


def _said(name: str) -> list[Event]:
    policy = short_policy(1.0, 0.2)
    return [message(name, number, "this is great", policy=policy) for number in range(3)]


async def _talk(settings: Settings, stop: asyncio.Event) -> None:
    number = 0
    while not stop.is_set():
        await publish(settings, _said(f"live{number}"))
        number += 1
        with suppress(TimeoutError):
            async with asyncio.timeout(LIVE_EVERY_S):
                await stop.wait()


ROWS = (
    Row(
        "backfill-kill",
        "kill -9 of the analyzer while a backfill runs over old segments and live talk goes on: "
        "each segment has its verdict, none twice, and the same again finds nothing to do",
        unit="kills",
        full=20,
        short=2,
        at_once=20,
        run=kill,
    ),
    Row(
        "backfill-latency",
        "live segments beside a backfill: p95 from seal to verdict at most twice what it is alone",
        unit="segments",
        full=100_000,
        short=0,
        at_once=100_000,
        run=latency,
    ),
)
