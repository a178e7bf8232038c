"""Clients whose clocks are wrong, by hours or years: nobody's talk is cut or sealed early by it."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from parley import clock
from parley.codec import decode_seal
from parley.seals import SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import Client, connected
from tests.support.processes import ServiceProcess
from tests.support.scale import amount
from tests.support.topics import read_values
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]

IDLE_GAP_S, GRACE_S = 4.0, 1.0
EVERY_S = 0.5
# Buffered by the client before it sends it, as after a moment without network.
BUFFERED = timedelta(seconds=1)
ERRORS = {
    "right": timedelta(0),
    "two-hours-ahead": timedelta(hours=2),
    "two-hours-behind": timedelta(hours=-2),
    "a-year-behind": timedelta(days=-400),
    "ten-years-ahead": timedelta(days=3_650),
}


async def say(client: Client, number: int, error: timedelta) -> None:
    """One message by a clock that is wrong by so much; every third one was buffered."""
    sent_at = clock.now() + error
    occurred_at = sent_at - BUFFERED if number % 3 == 2 else sent_at
    times = {"occurred_at": occurred_at.isoformat(), "sent_at": sent_at.isoformat()}
    await client.said(str(number), **times)


async def talk(gateway: ServiceProcess, room: str, error: timedelta, count: int) -> None:
    """Two clients speak in turn, the first of them with the wrong clock."""
    async with connected(gateway, room) as wrong, connected(gateway, room) as right:
        await wrong.hello(client_id="wrong", deliver="none")
        await right.hello(client_id="right", deliver="none")
        for number in range(count):
            await say(wrong, number, error)
            await asyncio.sleep(EVERY_S)
            await say(right, number, timedelta(0))


async def segments(settings: Settings) -> list[SegmentSealed]:
    seals = [decode_seal(value) for value in await read_values(settings, Topic.SEALS)]
    return [one for one in seals if isinstance(one, SegmentSealed)]


async def test_a_client_whose_clock_is_wrong_is_in_one_segment_with_the_others(
    settings: Settings,
) -> None:
    count = amount(10, 60)
    policy = {"PARLEY_IDLE_GAP": str(IDLE_GAP_S), "PARLEY_GRACE": str(GRACE_S)}
    with ServiceProcess("sealer", settings), ServiceProcess("gateway", settings, **policy) as front:
        began_at = clock.now()
        await asyncio.gather(*(talk(front, room, error, count) for room, error in ERRORS.items()))
        ended_at = clock.now()

        async def are_all_sealed() -> bool:
            return {one.conversation_id for one in await segments(settings)} == ERRORS.keys()

        await eventually(are_all_sealed, timeout=40, every=0.5)
        # Long enough for whatever else would still come of it.
        await asyncio.sleep(IDLE_GAP_S + GRACE_S)
    found = await segments(settings)
    assert Counter(one.conversation_id for one in found) == Counter(ERRORS.keys())
    for one in found:
        assert (one.revision, one.retracted) == (1, ()), one.conversation_id
        assert one.message_count == 2 * count, one.conversation_id
        assert began_at <= one.started_at <= one.ended_at <= ended_at, one.conversation_id
