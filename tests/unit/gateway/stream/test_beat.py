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


async def test_who_has_enough_for_a_request_waits_only_until_the_last_one_is_back() -> None:
    beat = Beat(interval_s=60.0, patience_s=60.0, enough=3)
    await beat.next()
    with beat.under_way():
        waiting = [asyncio.create_task(beat.next(records)) for records in ([1], [1, 2])]
        await asyncio.sleep(0.02)
        assert not any(one.done() for one in waiting)
    async with asyncio.timeout(5):
        await asyncio.gather(*waiting)


async def test_who_comes_to_those_who_wait_with_too_little_takes_them_along() -> None:
    beat = Beat(interval_s=60.0, enough=3)
    await beat.next()
    first = asyncio.create_task(beat.next([1, 2]))
    await asyncio.sleep(0.02)
    assert not first.done()
    async with asyncio.timeout(5):
        await asyncio.gather(first, beat.next([3]))


async def test_who_gives_up_keeps_nobody_else_waiting() -> None:
    beat = Beat(interval_s=0.05)
    await beat.next()
    impatient, patient = (asyncio.create_task(passed(beat)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    async with asyncio.timeout(5):
        await patient


async def test_who_comes_while_batches_are_under_way_waits_until_the_last_is_back() -> None:
    beat = Beat(interval_s=0.001, patience_s=60.0)
    await asyncio.gather(beat.next(), beat.next())
    with beat.under_way():
        with beat.under_way():
            waiting = asyncio.create_task(passed(beat))
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.02)
        assert not waiting.done()
    async with asyncio.timeout(5):
        await waiting


async def test_one_that_is_slow_to_come_back_holds_the_others_up_no_longer_than_the_patience() -> (
    None
):
    beat = Beat(interval_s=0.001, patience_s=0.05)
    first = await passed(beat)
    with beat.under_way():
        async with asyncio.timeout(5):
            assert await passed(beat) - first >= 0.049


async def test_a_batch_that_fails_is_back_too() -> None:
    beat = Beat(interval_s=0.001, patience_s=60.0)
    await beat.next()

    async def fail() -> None:
        with beat.under_way():
            await asyncio.sleep(0.01)
            raise OSError("no Kafka")

    failing, waiting = asyncio.create_task(fail()), asyncio.create_task(passed(beat))
    async with asyncio.timeout(5):
        await waiting
    assert isinstance(failing.exception(), OSError)
