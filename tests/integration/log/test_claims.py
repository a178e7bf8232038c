"""Claims on a partition and moves of its fence, by the tables alone: no worker and no log."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from parley import clock
from parley.db import fence
from parley.db import pool as database
from parley.db.fence import FenceKey, FenceLost, Tail
from parley.settings import Settings

pytestmark = pytest.mark.integration

TAIL = Tail(clock.now(), 7)


async def test_a_batch_of_a_former_owner_has_no_effect(settings: Settings, pool: Any) -> None:
    key = FenceKey("test", "topic", 0)
    former = await fence.claim(pool, key, "i1", "former")
    await fence.claim(pool, key, "i1", "latter")
    with pytest.raises(FenceLost):
        await fence.advance(pool, former, 9, TAIL)
    assert await pool.fetchval("SELECT next_offset FROM fences") == 0


async def test_a_batch_at_another_offset_has_no_effect(settings: Settings, pool: Any) -> None:
    claimed = await fence.claim(pool, FenceKey("test", "topic", 0), "i1", "owner")
    await fence.advance(pool, claimed, 9, TAIL)
    with pytest.raises(FenceLost):
        await fence.advance(pool, claimed, 9, TAIL)
    with pytest.raises(FenceLost):
        await fence.advance(pool, replace(claimed, next_offset=11), 12, TAIL)
    assert await pool.fetchval("SELECT next_offset FROM fences") == 10


async def stop_after_parse(connection: Any) -> None:
    """Parsed and never bound: the server waits for the rest of the query."""
    await connection.prepare("SELECT 4711")


async def stop_within_copy(connection: Any) -> "asyncio.Task[Any]":
    """Some rows, and no end: none of the server's time limits looks at that."""
    began = asyncio.Event()

    async def rows() -> AsyncIterator[bytes]:
        yield b"1\n"
        began.set()
        await asyncio.Event().wait()

    await connection.execute("CREATE TEMPORARY TABLE copied (number int)")
    copying = asyncio.create_task(connection.copy_to_table("copied", source=rows()))
    await began.wait()
    return copying


@pytest.mark.parametrize("stop", [stop_after_parse, stop_within_copy])
async def test_a_worker_that_stops_within_a_statement_does_not_hold_the_fence_for_ever(
    settings: Settings, pool: Any, stop: Callable[[Any], Awaitable[Any]]
) -> None:
    key = FenceKey("test", "topic", 0)
    claimed = await fence.claim(pool, key, "i1", "former")
    zombies = await database.connect(settings)
    stopped = await zombies.acquire()
    await stopped.execute("BEGIN")
    await fence.advance(stopped, claimed, 9, TAIL)
    unfinished = await stop(stopped)
    # Sooner than the claim's own wait for the lock ends.
    latter = await fence.claim(pool, key, "i1", "latter")
    zombies.terminate()
    assert latter.next_offset == 0
    if unfinished is not None:
        unfinished.cancel()
        await asyncio.gather(unfinished, return_exceptions=True)


async def test_a_former_owner_that_is_at_work_is_waited_for(settings: Settings, pool: Any) -> None:
    key = FenceKey("test", "topic", 0)
    claimed = await fence.claim(pool, key, "i1", "former")
    async with pool.acquire() as busy, busy.transaction():
        await fence.advance(busy, claimed, 9, TAIL)
        claiming = asyncio.create_task(fence.claim(pool, key, "i1", "latter"))
        await busy.execute("SELECT pg_sleep(8)")
    assert (await claiming).next_offset == 10


async def test_a_held_fence_can_be_neither_claimed_nor_moved(settings: Settings, pool: Any) -> None:
    key = FenceKey("test", "topic", 0)
    claimed = await fence.claim(pool, key, "i1", "owner")
    await pool.execute("UPDATE fences SET held_until = now() + interval '1 hour'")
    with pytest.raises(fence.FenceHeld):
        await fence.claim(pool, key, "i1", "other")
    with pytest.raises(FenceLost):
        await fence.advance(pool, claimed, 9, TAIL)


async def test_a_consumer_of_one_topic_cannot_claim_another(settings: Settings, pool: Any) -> None:
    await fence.claim(pool, FenceKey("test", "topic-2", 0), "i2", "owner")
    with pytest.raises(fence.OtherTopic, match="topic-2"):
        await fence.claim(pool, FenceKey("test", "topic", 0), "i1", "owner")
    await fence.claim(pool, FenceKey("other", "topic", 0), "i1", "owner")


async def test_a_lost_reply_to_commit_is_settled_by_reading_again(
    settings: Settings, pool: Any
) -> None:
    key = FenceKey("test", "topic", 0)
    claimed = await fence.claim(pool, key, "i1", "owner")
    assert not await fence.has_committed(pool, claimed, 9)
    await fence.advance(pool, claimed, 9, TAIL)
    assert await fence.has_committed(pool, claimed, 9)
    await fence.claim(pool, key, "i1", "other")
    with pytest.raises(FenceLost):
        await fence.has_committed(pool, claimed, 9)
