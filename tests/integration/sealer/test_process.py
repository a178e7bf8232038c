"""The sealer as a process: seals without traffic, and the same seals whatever kills it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.request import urlopen

import pytest

from parley import clock
from parley.codec import decode_event
from parley.events import MessageRecorded, Tick
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.sealer.traffic import (
    Traffic,
    count_members,
    published,
    quiet,
    undisturbed,
    without_repeats,
)
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish, short_policy
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

GAP, GRACE = timedelta(seconds=2), timedelta(seconds=0.5)
PATIENCE = timedelta(seconds=10)
KILLS = 5
OWN = {"PARLEY_SEALER_SAVE_INTERVAL": "0.2", "PARLEY_SEALER_BATCH_RECORDS": "50"}


@asynccontextmanager
async def running_sealer(settings: Settings, **extra: str) -> AsyncIterator[ServiceProcess]:
    process = ServiceProcess("sealer", settings, **extra)
    with process:
        yield process


async def get(url: str) -> str:
    def read() -> str:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - a service on loopback
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(read)


async def wait_for_seals(settings: Settings, count: int) -> list[SegmentSealed]:
    async def enough() -> list[SegmentSealed]:
        seals = [one for one in await published(settings) if isinstance(one, SegmentSealed)]
        return seals if len(seals) >= count else []

    return await eventually(enough)


async def test_a_quiet_conversation_is_sealed_by_a_tick_within_ten_seconds_of_its_deadline(
    settings: Settings, pool: Any
) -> None:
    async with running_sealer(settings) as sealer:
        [sent] = await publish(settings, [message("c1", 1, policy=short_policy())])
        [seal] = await wait_for_seals(settings, 1)
        ended_at = clock.now()
        metrics = await get(f"{sealer.url}/metrics")
    assert (seal.conversation_id, seal.message_count, seal.cause) == ("c1", 1, SealCause.IDLE)
    assert seal.partition == sent.partition
    assert ended_at - (seal.ended_at + GAP + GRACE) < PATIENCE
    assert 'parley_sealer_seals_total{cause="idle"} 1.0' in metrics
    assert "parley_sealer_seal_delay_seconds_count 1.0" in metrics
    records = await read_records(settings, Topic.EVENTS)
    ticks = [one for one in records if isinstance(decode_event(one).body, Tick)]
    # The partition that has nothing open gets none.
    assert {one.partition for one in ticks} == {sent.partition}
    assert await pool.fetchval("SELECT count(*) FROM sealer_windows") == 0


async def test_a_window_that_fell_due_while_nobody_ran_is_sealed_after_the_start(
    settings: Settings,
) -> None:
    async with running_sealer(settings) as sealer:
        await publish(settings, [message("c1", 1, policy=short_policy())])

        async def is_saved() -> bool:
            return '"open_windows":1' in await get(f"{sealer.url}/health")

        await eventually(is_saved)
        sealer.kill()
        await asyncio.sleep((GAP + GRACE).total_seconds() + 0.5)
        await asyncio.to_thread(sealer.start)
        assert len(await wait_for_seals(settings, 1)) == 1


async def test_kills_under_traffic_leave_the_seals_of_an_undisturbed_run(
    settings: Settings, pool: Any
) -> None:
    traffic, stop = Traffic(settings), asyncio.Event()
    began_at = clock.now() - 2 * GAP
    first, last, bridge = (
        message("bridged", number, at=began_at + number * 0.8 * GAP, policy=short_policy())
        for number in (0, 2, 1)
    )
    traffic.sent += [first, last, bridge]
    async with running_sealer(settings, **OWN) as sealer:
        await publish(settings, [first, last])
        await wait_for_seals(settings, 2)
        sending = asyncio.create_task(traffic.run(stop))
        for _ in range(KILLS):
            await asyncio.sleep(traffic.chance.uniform(0.5, 2))
            sealer.kill()
            await asyncio.to_thread(sealer.start)
        await publish(settings, [bridge])
        await asyncio.sleep(1)
        stop.set()
        await sending

        await quiet(settings, pool)
    found = without_repeats(await published(settings))
    expected = await undisturbed(settings)
    assert found == expected
    seals = [one for one in found if isinstance(one, SegmentSealed)]
    # The traffic was worth the name.
    assert max(one.revision for one in seals) > 1
    assert any(one.retracted for one in seals)
    assert {SealCause.IDLE, SealCause.LATE, SealCause.ENDED} <= {one.cause for one in seals}
    said = {one.event_id for one in traffic.sent if isinstance(one.body, MessageRecorded)}
    assert count_members(found) == len(said)
