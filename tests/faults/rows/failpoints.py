"""The persister dies exactly before and after whatever it does to the world outside."""

import asyncio

from tests.faults.load import Pace
from tests.faults.row import Findings, Row
from tests.faults.scene import persister, scene, started
from tests.faults.stage import Stage
from tests.support.failing_persister import PLACES
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

MODULE = "tests.support.failing_persister"
# So that there is something in the outbox.
PACE = Pace(per_second=300, bad_share=0.02)


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Number n dies at place n, counted round."""
    async with scene(stage, first, PACE) as now:
        one = persister(now.settings, MODULE)
        async with started(one):
            for number in range(first, first + count):
                await now.read_on()
                order = now.settings.state_dir / "failpoint"
                order.write_text(f"{PLACES[number % len(PLACES)]} kill")
                await ended(one)
                assert not order.exists(), "it was ended by something else"
                one.start(wait=False)
                await now.catch_up()
            return await now.settle()


async def ended(one: ServiceProcess) -> None:
    async def is_gone() -> bool:
        return not one.is_running

    await eventually(is_gone, timeout=30)
    await asyncio.to_thread(one.wait)


ROW = Row(
    "persister-failpoints",
    "the persister is killed before and after each send, database commit, Kafka commit and "
    "outbox publish",
    unit="kills",
    full=20 * len(PLACES),
    short=2,
    at_once=len(PLACES),
    run=run,
)
