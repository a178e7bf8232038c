"""Kafka goes away under load: the gateway refuses what it cannot keep, and nobody is lied to."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path

import psutil
import pytest
from pydantic import SecretStr

from parley.codec import decode_event
from parley.events import MessageRecorded
from parley.local.stack import Stack
from parley.log.admin import apply_topics
from parley.settings import Settings
from parley.topics import Topic
from tests.support.chatters import Chatter, chatting
from tests.support.processes import ROOT, ServiceProcess
from tests.support.scale import amount
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]

MIB = 1024 * 1024
ACK_TIMEOUT_S = 2
# What was under way when Kafka went may still be acknowledged.
SETTLE_S = 0.3
MOST_UNACKNOWLEDGED = 300
RETRYABLE = {"not_durable", "overloaded"}
MOST_GROWTH_BYTES = 50 * MIB


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Stack]:
    """An embedded stack whose broker this test may stop."""
    stack = Stack(tmp_path / "stack", cache_dir=ROOT / ".parley")
    stack.up(print)
    yield stack
    stack.down()


@pytest.fixture
async def own_settings(own_stack: Stack, tmp_path: Path) -> Settings:
    endpoints = own_stack.endpoints()
    settings = Settings(
        kafka_bootstrap=endpoints.kafka_bootstrap,
        database_url=SecretStr(endpoints.database_url),
        state_dir=tmp_path / "state",
        http_port=0,
    )
    await apply_topics(settings)
    return settings


async def stop_for_a_while(stack: Stack, seconds: float) -> None:
    """Alive for the kernel, silent for everybody: connections stay open and nothing comes."""
    pid = stack.kafka.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        os.kill(pid, signal.SIGCONT)


async def kill_for_a_while(stack: Stack, seconds: float) -> None:
    """Connections break, and new ones are refused."""
    await asyncio.to_thread(stack.kafka.kill)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(stack.up, print)


async def stored(settings: Settings) -> dict[str, set[str]]:
    """The event ids of each client's messages that are in the log."""
    found: dict[str, set[str]] = {}
    for record in await read_records(settings, Topic.EVENTS):
        event = decode_event(record)
        if isinstance(event.body, MessageRecorded):
            found.setdefault(event.client_id, set()).add(event.event_id)
    return found


async def check_stored(settings: Settings, chatters: Sequence[Chatter]) -> None:
    """Every message is in the log under one id: the acknowledged ones, and there are no others."""
    in_log = await stored(settings)
    for one in chatters:
        acknowledged = set(one.acknowledged.values())
        assert acknowledged - in_log[one.name] == set(), f"{one.name} was told a lie"
        assert in_log[one.name] == acknowledged, f"{one.name} was not told of a message"
        assert one.refused == {}, one.name


def _acknowledged(chatters: Sequence[Chatter]) -> int:
    return sum(len(one.acknowledged) for one in chatters)


@pytest.mark.parametrize("away", [stop_for_a_while, kill_for_a_while])
@pytest.mark.timeout(300)
async def test_without_kafka_messages_are_refused_for_now_and_none_is_lost(
    own_stack: Stack,
    own_settings: Settings,
    away: Callable[[Stack, float], Coroutine[None, None, None]],
) -> None:
    seconds = amount(8, 60)
    with ServiceProcess(
        "gateway",
        own_settings,
        PARLEY_GATEWAY_ACK_TIMEOUT=str(ACK_TIMEOUT_S),
        PARLEY_GATEWAY_MAX_UNACKNOWLEDGED=str(MOST_UNACKNOWLEDGED),
    ) as gateway:
        chatters = [
            Chatter(f"c{number}", f"room-{number % 5}", [gateway], every_s=0.05)
            for number in range(20)
        ]
        async with chatting(chatters):
            await asyncio.sleep(2)
            process = psutil.Process(gateway.pid)
            rss_before = process.memory_info().rss
            being_away = asyncio.create_task(away(own_stack, seconds))
            await asyncio.sleep(SETTLE_S)
            settled = _acknowledged(chatters)
            await asyncio.sleep(seconds - SETTLE_S - 1)
            assert _acknowledged(chatters) == settled, "acknowledged without Kafka"
            growth_bytes = process.memory_info().rss - rss_before
            await being_away

            async def goes_on() -> bool:
                return _acknowledged(chatters) > settled + 200

            await eventually(goes_on, timeout=60)
            for one in chatters:
                one.talks = False

            async def nothing_is_open() -> bool:
                return not any(one.unacknowledged for one in chatters)

            await eventually(nothing_is_open, timeout=60)
    codes = {code for one in chatters for code in one.codes}
    assert "not_durable" in codes
    assert codes <= RETRYABLE, "every refusal says that it may be sent again"
    assert growth_bytes < MOST_GROWTH_BYTES
    assert [one.connection_count for one in chatters] == [1] * len(chatters)
    await check_stored(own_settings, chatters)
