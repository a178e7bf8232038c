"""Batches of all partitions leave together, and not too often."""

import asyncio

from services.gateway.stream.beat import Beat


async def passed(beat: Beat) -> float:
    await beat.next()
    return asyncio.get_running_loop().time()


async def test_after_a_silence_nobody_waits() -> None:
    beat = Beat(interval_s=60.0)
    async with asyncio.timeout(5):
        await beat.next()


async def test_all_who_wait_are_released_at_once_and_an_interval_after_the_last() -> None:
    beat = Beat(interval_s=0.05)
    first = await passed(beat)
    others = await asyncio.gather(*(passed(beat) for _ in range(4)))
    assert min(others) - first >= 0.049
    assert max(others) - min(others) < 0.02


async def test_who_gives_up_keeps_nobody_else_waiting() -> None:
    beat = Beat(interval_s=0.05)
    await beat.next()
    impatient, patient = (asyncio.create_task(passed(beat)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    async with asyncio.timeout(5):
        await patient
