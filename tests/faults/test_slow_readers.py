"""Clients that never read are let go: they cost the gateway little, and the others nothing."""

import asyncio
from collections.abc import Sequence
from urllib.request import urlopen

import psutil
import pytest

from parley.settings import Settings
from tests.support.chatters import Chatter, chatting, quantile
from tests.support.mute_clients import mutes
from tests.support.processes import ServiceProcess
from tests.support.scale import amount
from tests.support.wait import eventually

pytestmark = [pytest.mark.faults, pytest.mark.integration]

MIB = 1024 * 1024
TALKERS = 4
MOST_GROWTH_BYTES = 50 * MIB
CLOSED_WITHIN_S = 15


class Memory:
    """The most that a process used while it was watched, above what it used before."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._before = self._process.memory_info().rss
        self._most = self._before

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            self._most = max(self._most, self._process.memory_info().rss)
            await asyncio.sleep(0.05)

    @property
    def growth_bytes(self) -> int:
        return self._most - self._before


def metric(gateway: ServiceProcess, name: str) -> float:
    """One of the gateway's metrics without labels."""
    with urlopen(f"{gateway.url}/metrics", timeout=5) as answer:  # noqa: S310 - a loopback URL
        lines = answer.read().decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith(f"{name} "))


async def heard_for(talkers: Sequence[Chatter], seconds: float) -> list[float]:
    """How long the talkers waited for their acknowledgements during the next seconds."""
    for one in talkers:
        one.latencies_s.clear()
    await asyncio.sleep(seconds)
    return [latency for one in talkers for latency in one.latencies_s]


@pytest.mark.timeout(300)
async def test_clients_that_never_read_are_closed_and_cost_the_others_nothing(
    settings: Settings,
) -> None:
    mute_count = amount(100, 500)
    with ServiceProcess("gateway", settings, PARLEY_GATEWAY_MAX_UNSENT="64") as gateway:
        # Long texts, since the kernel takes megabytes for a client before anybody has to wait.
        talkers = [
            Chatter(f"talker-{number}", "room", [gateway], every_s=0.2, text="x" * 30_000)
            for number in range(TALKERS)
        ]
        async with chatting(talkers):
            alone = await heard_for(talkers, 5)
            for one in talkers:
                one.talks = False
            async with mutes(gateway.port, "room", mute_count):
                # From here on: what an idle connection costs is measured elsewhere.
                memory = Memory(gateway.pid)
                watching = asyncio.create_task(memory.watch())
                for one in talkers:
                    one.talks = True
                beside_mutes = await heard_for(talkers, 3)

                async def the_mutes_are_gone() -> bool:
                    count = await asyncio.to_thread(metric, gateway, "parley_gateway_connections")
                    return count == TALKERS

                await eventually(the_mutes_are_gone, CLOSED_WITHIN_S - 3, every=0.2)
                watching.cancel()
    assert memory.growth_bytes < MOST_GROWTH_BYTES
    assert len(beside_mutes) > 20
    # Who reads waits no longer, but for the work of handing every frame to so many more: had they
    # to wait for those who do not read, it would be seconds.
    assert quantile(beside_mutes, 0.5) < quantile(alone, 0.5) + 0.15
    assert quantile(beside_mutes, 0.99) < quantile(alone, 0.99) + 1.0
    assert [one.connection_count for one in talkers] == [1] * TALKERS
    assert [one.disorder + one.gaps for one in talkers] == [[]] * TALKERS
