"""A persister is stopped for twice the session timeout, in half of the cases in a transaction."""

import asyncio
from random import Random

import psutil

from parley import clock
from parley.db.pool import TIME_LIMITS
from tests.faults.row import Findings, Row
from tests.faults.scene import Scene, persister, scene, started
from tests.faults.stage import Stage
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

MODULE = "tests.support.failing_persister"
IDLE_LIMIT_S = float(TIME_LIMITS["idle_in_transaction_session_timeout"].removesuffix("s"))
# What a rebalance and the first batch take beside the two timeouts, on a busy machine.
ALLOWANCE_S = 4.0


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Two of them; the even numbers are stopped within a transaction that holds the fence."""
    chance = Random(first)
    waits_s = []
    async with scene(stage, first) as now:
        pair = [persister(now.settings, MODULE), persister(now.settings, MODULE)]
        async with started(*pair):
            for number in range(first, first + count):
                is_inside = number % 2 == 0
                await now.read_on()
                await both_own(now)
                await asyncio.sleep(chance.uniform(0.0, 0.3))
                victim = await stop_inside(now, pair) if is_inside else pair[number // 2 % 2]
                if not is_inside:
                    victim.pause()
                waits_s.append(await take_over(now))
                victim.resume()
                await now.catch_up()
            found = await now.settle(longest_wait_s=round(max(waits_s), 1))
    return found


async def both_own(now: Scene) -> None:
    """Wait until the partitions are shared out again."""

    async def are_shared() -> bool:
        owners = await now.pool.fetchval(
            "SELECT count(DISTINCT owner) FROM fences WHERE consumer = 'persister'"
        )
        return bool(owners == 2)

    await eventually(are_shared, timeout=60)


async def stop_inside(now: Scene, pair: list[ServiceProcess]) -> ServiceProcess:
    """Whichever comes first to the end of a transaction stops there."""
    (now.settings.state_dir / "failpoint").write_text("before-database-commit stop")

    async def stopped() -> list[ServiceProcess]:
        return [one for one in pair if psutil.Process(one.pid).status() == psutil.STATUS_STOPPED]

    (victim,) = await eventually(stopped, timeout=20)
    return victim


async def take_over(now: Scene) -> float:
    """How long the other one needed to read everything; at least twice the session timeout."""
    session_s = now.settings.session_timeout.total_seconds()
    began_at = clock.monotonic()
    await now.read_on()
    waited_s = clock.monotonic() - began_at
    limit_s = session_s + IDLE_LIMIT_S + ALLOWANCE_S
    assert waited_s < limit_s, f"the other one waited for {waited_s:.1f} s"
    await asyncio.sleep(max(0.0, 2 * session_s - waited_s))
    return waited_s


ROW = Row(
    "persister-pause",
    "SIGSTOP for twice the session timeout, also inside a transaction, beside a second persister",
    unit="pauses",
    full=50,
    short=1,
    at_once=6,
    run=run,
)
