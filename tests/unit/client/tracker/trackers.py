"""A tracker of a gateway that a test plays, and what waits for it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from parley.client import CloseReport, Tracker
from tests.support.wait import eventually
from tests.unit.client.gateways import Gateway


@asynccontextmanager
async def tracking(gateway: Gateway, **options: Any) -> AsyncIterator[Tracker]:
    tracker = Tracker(gateway.url, **options)
    try:
        yield tracker
    finally:
        await closed(tracker, 0)


async def closed(tracker: Tracker, timeout_s: float = 5.0) -> CloseReport:
    return await asyncio.to_thread(tracker.close, timeout_s)


async def flushed(tracker: Tracker, timeout_s: float = 10.0) -> bool:
    return await asyncio.to_thread(tracker.flush, timeout_s)


async def until(condition: Callable[[], Any]) -> None:
    async def check() -> Any:
        return condition()

    await eventually(check, every=0.01)
