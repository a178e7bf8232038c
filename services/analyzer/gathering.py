"""Does together what many ask for at the same time: one transaction instead of one each."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Gathering(Generic[Item, Result]):
    """Gathers items while those before them are worked on.

    `work` is given at most `most` items and returns a result for each, in their order. What it
    raises is raised by everybody who waits for one of them.
    """

    def __init__(
        self, work: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]], most: int
    ) -> None:
        self._work = work
        self._most = most
        # Bounded by its callers, each of whom waits for what it has asked for.
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, item: Item) -> Result:
        """The result of one item, once it has come about with those of others."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._task is None:
            # In no caller's context: its span is not that of the others.
            self._task = asyncio.create_task(self._work_on(), context=Context())
        return await future

    async def _work_on(self) -> None:
        try:
            while self._waiting:
                count = min(self._most, len(self._waiting))
                taken = [self._waiting.popleft() for _ in range(count)]
                await self._work_together([one for one in taken if not one[1].done()])
        finally:
            self._task = None

    async def _work_together(self, taken: Sequence[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        if not taken:
            return
        try:
            results = await self._work([item for item, _ in taken])
            told = list(zip(taken, results, strict=True))
        except Exception as error:  # noqa: BLE001 - raised where each result is waited for
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in told:
            if not future.done():
                future.set_result(result)
