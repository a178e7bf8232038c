"""Persisters come and go, up to four, some of them killed."""

import asyncio
from random import Random

from parley import clock
from tests.faults.row import Findings, Row
from tests.faults.scene import Scene, persister, scene, started
from tests.faults.stage import Stage
from tests.support.processes import ServiceProcess

MOST_WORKERS = 4
EVERY_S = 10.0
KILLED_SHARE = 1 / 3
LONGEST_PAUSE_S = 10.0


class Pauses:
    """The longest time for which any partition stood still, by rebalance."""

    def __init__(self, now: Scene) -> None:
        self.longest_s: list[float] = []
        self._now = now
        self._moved_at: dict[int, float] = {}
        self._fences: dict[int, int] = {}

    def begin(self) -> None:
        """From here on it is the next rebalance's."""
        self.longest_s.append(0.0)

    async def watch(self) -> None:
        """Look at the fences again and again, until cancelled; the load moves all of them."""
        while True:
            at = clock.monotonic()
            for partition, offset in (await self._now.fences()).items():
                if offset != self._fences.get(partition):
                    self._fences[partition] = offset
                    self._moved_at[partition] = at
                elif self.longest_s:
                    stood_s = at - self._moved_at[partition]
                    self.longest_s[-1] = max(self.longest_s[-1], stood_s)
            await asyncio.sleep(0.1)

    def p99_s(self) -> float:
        ordered = sorted(self.longest_s)
        return ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Every ten seconds one comes or one goes; one of three that go is killed."""
    chance = Random(first)
    async with scene(stage, first) as now:
        workers = [persister(now.settings)]
        async with started(*workers):
            pauses = Pauses(now)
            watching = asyncio.create_task(pauses.watch())
            for _ in range(count):
                began_at = clock.monotonic()
                pauses.begin()
                await change(now, chance, workers)
                await now.catch_up()
                await asyncio.sleep(max(0.0, EVERY_S - (clock.monotonic() - began_at)))
            watching.cancel()
            found = await now.settle(pause_p99_s=round(pauses.p99_s(), 1))
            for one in workers:
                await asyncio.to_thread(one.stop)
    assert pauses.p99_s() < LONGEST_PAUSE_S, f"partitions stood still for {pauses.p99_s():.1f} s"
    return found


async def change(now: Scene, chance: Random, workers: list[ServiceProcess]) -> None:
    """One more, or one less."""
    if len(workers) == 1 or (len(workers) < MOST_WORKERS and chance.random() < 0.5):
        workers.append(persister(now.settings))
        await asyncio.to_thread(workers[-1].start)
    else:
        gone = workers.pop(chance.randrange(len(workers)))
        if chance.random() < KILLED_SHARE:
            await asyncio.to_thread(gone.kill)
        else:
            await asyncio.to_thread(gone.stop)


ROW = Row(
    "persister-rebalance",
    "rebalances every ten seconds with up to four persisters; partitions pause 10 s at most (p99)",
    unit="rebalances",
    full=60,
    short=1,
    at_once=10,
    run=run,
)
