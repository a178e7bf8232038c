"""A loop that stands still is seen, and one that does not is not."""

import asyncio
import time

from prometheus_client import REGISTRY

from parley import event_loop


def late_ones(bound: str) -> float:
    """How many looks there were that were later than `bound` seconds."""

    def value(le: str) -> float:
        name = f"{event_loop.LAG._name}_bucket"
        return REGISTRY.get_sample_value(name, {"le": le}) or 0.0

    return value("+Inf") - value(bound)


async def test_a_loop_that_stands_still_for_a_moment_is_late() -> None:
    before = late_ones("0.25")
    stop = asyncio.Event()
    watching = asyncio.create_task(event_loop.watch(stop))
    await asyncio.sleep(event_loop.LOOK_EVERY_S / 2)
    time.sleep(event_loop.LOOK_EVERY_S + 0.3)  # noqa: ASYNC251 - this is what is to be seen
    await asyncio.sleep(0)
    stop.set()
    await watching
    assert late_ones("0.25") == before + 1


async def test_it_stops_at_once() -> None:
    stop = asyncio.Event()
    watching = asyncio.create_task(event_loop.watch(stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(event_loop.LOOK_EVERY_S / 2):
        await watching
