"""What many ask for at the same time is done together, and each is told its own."""

import asyncio
from collections.abc import Sequence

import pytest

from services.analyzer.gathering import Gathering


class Doubling:
    """Doubles numbers, once it may; remembers what it was given together."""

    def __init__(self) -> None:
        self.given: list[list[int]] = []
        self.may_go_on = asyncio.Event()
        self.error: Exception | None = None

    async def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.given.append(list(numbers))
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return [2 * number for number in numbers]


async def asked(gathering: Gathering[int, int], *numbers: int) -> list[asyncio.Task[int]]:
    """Somebody for each number, who waits for it by now."""
    tasks = [asyncio.create_task(gathering.ask(number)) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_comes_while_others_are_worked_on_is_done_together_next() -> None:
    work = Doubling()
    gathering = Gathering(work, most=3)
    tasks = await asked(gathering, 1, 2)
    tasks += await asked(gathering, 3, 4, 5, 6)
    work.may_go_on.set()
    assert await asyncio.gather(*tasks) == [2, 4, 6, 8, 10, 12]
    assert work.given == [[1, 2], [3, 4, 5], [6]]


async def test_what_goes_wrong_goes_wrong_for_all_that_were_together_and_for_nobody_else() -> None:
    work = Doubling()
    gathering = Gathering(work, most=2)
    tasks = await asked(gathering, 1, 2)
    work.error = ValueError("no")
    work.may_go_on.set()
    for task in tasks:
        with pytest.raises(ValueError, match="no"):
            await task
    work.error = None
    assert await gathering.ask(3) == 6


async def test_who_is_cancelled_takes_nobody_along() -> None:
    work = Doubling()
    gathering = Gathering(work, most=2)
    tasks = await asked(gathering, 1, 2, 3, 4)
    tasks[0].cancel()
    tasks[3].cancel()
    await asyncio.sleep(0)
    work.may_go_on.set()
    assert [await tasks[1], await tasks[2]] == [4, 6]
    assert work.given == [[1, 2], [3]]


async def test_a_result_that_is_missing_is_an_error_and_nobody_waits_for_ever() -> None:
    async def forgetful(numbers: Sequence[int]) -> list[int]:
        return list(numbers[1:])

    gathering = Gathering(forgetful, most=2)
    tasks = await asked(gathering, 1, 2)
    for task in tasks:
        with pytest.raises(ValueError, match="shorter"):
            await task
