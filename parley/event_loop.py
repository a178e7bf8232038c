"""Measures how late the event loop is: one that stands still answers nobody, and loses leases."""

import asyncio
from contextlib import suppress
from typing import Final

from prometheus_client import Histogram

from parley import clock

LOOK_EVERY_S: Final = 0.25

LAG: Final = Histogram(
    "parley_event_loop_lag_seconds",
    "How much later than it had asked for a task of the event loop was woken up.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


async def watch(stop: asyncio.Event) -> None:
    """Measure until `stop`."""
    while not stop.is_set():
        due_s = clock.monotonic() + LOOK_EVERY_S
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()
                return
        LAG.observe(max(0.0, clock.monotonic() - due_s))
