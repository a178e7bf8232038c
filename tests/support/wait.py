"""Waits for a condition instead of sleeping."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Result = TypeVar("Result")


async def eventually(
    condition: Callable[[], Awaitable[Result]],
    timeout: float = 60.0,  # noqa: ASYNC109 - the error names the condition
    every: float = 0.05,
) -> Result:
    """Return the condition's first true result; raises AssertionError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        result = await condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"still {result!r} after {timeout} s: {condition}")
        await asyncio.sleep(every)
