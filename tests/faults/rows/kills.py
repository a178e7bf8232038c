"""`kill -9` of the persister while it writes."""

import asyncio
from random import Random

from tests.faults.load import Pace
from tests.faults.row import Findings, Row
from tests.faults.scene import persister, scene, started
from tests.faults.stage import Stage

RECORDS_EACH = 2_000
PACE = Pace(per_second=1_000)


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Kill it at any moment, start it again, and see it catch up."""
    chance = Random(first)
    async with scene(stage, first, PACE) as now:
        one = persister(now.settings)
        async with started(one):
            for _ in range(count):
                await now.sent(RECORDS_EACH)
                await now.read_on()
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                await asyncio.to_thread(one.kill)
                one.start(wait=False)
                await now.catch_up()
            return await now.settle()


ROW = Row(
    "persister-kill",
    "kill -9 of the persister under load, 2,000 records each",
    unit="kills",
    full=100,
    short=1,
    at_once=10,
    run=run,
)
