"""PostgreSQL stops at once, as `pg_ctl stop -m immediate` does it: without any goodbye."""

import asyncio
import signal
from random import Random

from tests.faults.row import Findings, Row
from tests.faults.scene import persister, scene, started
from tests.faults.stage import Stage


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Stop the server, start it, and see the very same persister catch up."""
    chance = Random(first)
    async with scene(stage, first) as now:
        one = persister(now.settings)
        async with started(one):
            pid = one.pid
            for _ in range(count):
                await now.sent(300)
                await now.read_on()
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                await asyncio.to_thread(stop_immediately, stage)
                await asyncio.sleep(chance.choice([0.0, 1.0, 3.0]))
                await asyncio.to_thread(stage.stack.up, lambda _: None)
                await now.catch_up()
            found = await now.settle()
            assert one.pid == pid
            assert one.stop() == 0, "the very process that was there at the start"
    return found


def stop_immediately(stage: Stage) -> None:
    process = stage.stack.postgres.process
    assert process is not None
    # What `pg_ctl stop -m immediate` sends.
    process.send(signal.SIGQUIT)
    assert process.wait(20)


ROW = Row(
    "postgres-stop",
    "immediate stops of PostgreSQL under load; no process is restarted by hand",
    unit="stops",
    full=50,
    short=1,
    at_once=10,
    run=run,
)
