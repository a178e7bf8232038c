"""An event loop whose clock jumps to the next thing that is to happen, so that nothing waits."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from parley import clock

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)

Result = TypeVar("Result")


class _Jump(selectors.SelectSelector):
    """Waits for nothing: time is moved on instead."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: the simulation hangs")
        self._jump(timeout)
        return []


class SimulatedLoop(asyncio.SelectorEventLoop):
    """One thread, no I/O, and the same order of events for the same seed."""

    def __init__(self) -> None:
        self._seconds = 0.0
        super().__init__(_Jump(self._move))

    def time(self) -> float:
        return self._seconds

    def _move(self, seconds: float) -> None:
        self._seconds += max(0.0, seconds)


def run_simulated(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run it to its end in simulated time, which `parley.clock` tells meanwhile."""
    with asyncio.Runner(loop_factory=SimulatedLoop) as runner, _clock_of(runner.get_loop()):
        return runner.run(work())


@contextmanager
def _clock_of(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    former = clock.monotonic, clock.now
    clock.monotonic = loop.time
    clock.now = lambda: BEGINNING + timedelta(seconds=loop.time())
    try:
        yield
    finally:
        clock.monotonic, clock.now = former
