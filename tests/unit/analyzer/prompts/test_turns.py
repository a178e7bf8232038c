"""Turns: so many at a time, live ones first, and never too many of backfills."""

import asyncio

import pytest

from parley.analyses import Lane
from services.analyzer.prompts.turns import Turns


class Stage:
    """Jobs that hold their turn until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, name: str, lane: Lane) -> None:
        self.ends[name] = asyncio.Event()
        self.tasks[name] = asyncio.create_task(self._work(name, lane))
        await asyncio.sleep(0)

    async def end(self, name: str) -> None:
        self.ends[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)

    async def _work(self, name: str, lane: Lane) -> None:
        async with self.turns.turn(lane):
            self.order.append(name)
            await self.ends[name].wait()


async def test_no_more_than_so_many_have_a_turn_at_one_time() -> None:
    stage = Stage(Turns(2, 2))
    for name in "abc":
        await stage.come(name, Lane.LIVE)
    assert stage.order == ["a", "b"]
    await stage.end("a")
    assert stage.order == ["a", "b", "c"]


async def test_a_live_job_has_its_turn_before_those_of_backfills_that_waited_longer() -> None:
    stage = Stage(Turns(1, 1))
    await stage.come("a", Lane.BACKFILL)
    await stage.come("b", Lane.BACKFILL)
    await stage.come("live", Lane.LIVE)
    await stage.end("a")
    assert stage.order == ["a", "live"]


async def test_backfills_leave_room_for_live_jobs() -> None:
    stage = Stage(Turns(3, 2))
    for name in "abc":
        await stage.come(name, Lane.BACKFILL)
    await stage.come("live", Lane.LIVE)
    assert stage.order == ["a", "b", "live"]
    await stage.end("live")
    assert stage.order == ["a", "b", "live"]
    await stage.end("b")
    assert stage.order == ["a", "b", "live", "c"]


async def test_a_turn_of_one_who_is_gone_is_the_next_ones() -> None:
    stage = Stage(Turns(1, 1))
    for name in "abcd":
        await stage.come(name, Lane.LIVE)
    stage.tasks["b"].cancel()
    stage.ends["a"].set()
    # In one moment a gives its turn to c, and c leaves.
    await asyncio.sleep(0)
    stage.tasks["c"].cancel()
    with pytest.raises(asyncio.CancelledError):
        await stage.tasks["c"]
    await asyncio.sleep(0)
    assert stage.order == ["a", "d"]
