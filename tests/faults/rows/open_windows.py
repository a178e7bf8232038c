"""A sealer that holds very many open windows is killed, and another one reads on."""

import asyncio
from typing import Any, Final

import psutil

from parley import clock
from parley.db import pool as database
from parley.log.producer import Producer
from parley.settings import Settings
from tests.faults.row import Findings, Row
from tests.faults.scene import started
from tests.faults.stage import Stage
from tests.integration.sealer.traffic import FENCES, log_ends
from tests.support.processes import ServiceProcess, health
from tests.support.publish import message, outgoing
from tests.support.wait import eventually

ROUND: Final = 10_000
# As many as partitions, and some more, so that each has something to read.
NEWS: Final = 40
PATIENCE_S: Final = 1_200.0
LONGEST_RESTART_S: Final = 30.0


async def run(stage: Stage, _: int, count: int) -> Findings:
    """Open that many windows, one message each; kill the sealer, and see when it reads on."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        one = ServiceProcess("sealer", settings)
        async with started(one):
            await publish_all(settings, count)
            fill_s = await read_on(settings, pool)
            full_mb = memory_mb(one)
            assert health(one.url)["services"]["open_windows"] == count
            await asyncio.to_thread(one.kill)
            await publish_news(settings)
            one.start(wait=False)
            restart_s = await read_on(settings, pool)
            restarted_mb = memory_mb(one)
            assert health(one.url)["services"]["open_windows"] == count
        await pool.close()
    late = restart_s > LONGEST_RESTART_S
    return Findings(
        acknowledged=count + NEWS,
        problems=(f"read on after {restart_s:.0f} s",) if late else (),
        more={
            "seconds_to_restart_and_read_on": restart_s,
            "seconds_from_published_to_read": fill_s,
            "memory_mb": full_mb,
            "memory_mb_after_restart": restarted_mb,
        },
    )


async def publish_all(settings: Settings, count: int) -> None:
    """A message in each of so many conversations; half of them belong to a session."""
    producer = Producer(settings)
    await producer.start()
    try:
        for first in range(0, count, ROUND):
            numbers = range(first, min(count, first + ROUND))
            await producer.send_all([outgoing(settings, _said(number)) for number in numbers])
    finally:
        await producer.stop()


def _said(number: int) -> Any:
    return message(f"w{number}", number, session_id=f"s{number}" if number % 2 else "")


async def publish_news(settings: Settings) -> None:
    """More of conversations that have a window open."""
    producer = Producer(settings)
    await producer.start()
    try:
        said = [message(f"w{number}", f"more-{number}") for number in range(NEWS)]
        await producer.send_all([outgoing(settings, one) for one in said])
    finally:
        await producer.stop()


async def read_on(settings: Settings, pool: Any) -> float:
    """Wait until the tables hold all of the log; returns for how many seconds."""
    began_at, ends = clock.monotonic(), await log_ends(settings)

    async def is_read() -> bool:
        fences = {row["partition"]: row["next_offset"] for row in await pool.fetch(FENCES)}
        return all(fences.get(partition, 0) >= end for partition, end in ends.items())

    await eventually(is_read, timeout=PATIENCE_S, every=0.1)
    return clock.monotonic() - began_at


def memory_mb(process: ServiceProcess) -> int:
    """What it holds in memory now."""
    found: int = psutil.Process(process.pid).memory_info().rss
    return found // 2**20


ROW = Row(
    "sealer-open-windows",
    "kill -9 of a sealer with a million open windows: the next one reads on within 30 s",
    unit="open windows",
    full=1_000_000,
    short=0,
    at_once=1_000_000,
    run=run,
)
