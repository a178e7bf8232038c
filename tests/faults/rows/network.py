"""The persister's network to Kafka and to PostgreSQL: connections break, stand still, are slow."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from parley.local import ports
from parley.settings import Settings
from tests.faults.load import Pace
from tests.faults.row import Findings, Row, Run
from tests.faults.scene import Scene, persister, scene, started
from tests.faults.stage import Stage
from tests.support.tcp_proxy import TcpProxy, proxied
from tests.support.wait import eventually

AMOUNT: Final = 30
# Longer than the session timeout of 3 seconds: Kafka evicts who is not heard.
STALL_S: Final = 5.0
# A round trip is twice as long as it takes in one direction.
LATENCY_S: Final = 1.0
SLOW_FOR_S: Final = 8.0
PACE: Final = Pace(per_second=300, bad_share=0.01)

Fault = Callable[[TcpProxy], Awaitable[None]]


async def reset(proxy: TcpProxy) -> None:
    """All connections break at once, whatever is on its way."""
    proxy.reset()


async def stall(proxy: TcpProxy) -> None:
    """Nothing arrives for a while."""
    proxy.stall()
    await asyncio.sleep(STALL_S)
    proxy.heal()


async def slow_down(proxy: TcpProxy) -> None:
    """Every answer takes two seconds for a while."""
    proxy.latency_s = LATENCY_S
    await asyncio.sleep(SLOW_FOR_S)
    proxy.heal()


async def cut_commit(proxy: TcpProxy) -> None:
    """PostgreSQL commits, and nobody is told."""
    proxy.cut_reply_to(b"COMMIT;")

    async def is_cut() -> bool:
        return proxy.is_reply_cut

    await eventually(is_cut)


def row(name: str, claim: str, fault: Fault, is_broker: bool) -> Row:
    """The row of one fault on one of the two connections."""
    # Slowness takes its time, and is left to `make faults`.
    short = 0 if fault is slow_down else 1
    return Row(name, claim, "faults", AMOUNT, short, AMOUNT // 5, _run_of(fault, is_broker))


def _run_of(fault: Fault, is_broker: bool) -> Run:
    async def run(stage: Stage, first: int, count: int) -> Findings:
        chance = Random(first)
        async with scene(stage, first, PACE) as now, behind(now, is_broker) as (settings, proxy):
            one = persister(settings)
            async with started(one):
                pid = one.pid
                for _ in range(count):
                    await now.sent(100)
                    await now.read_on()
                    await asyncio.sleep(chance.uniform(0.0, 0.3))
                    await fault(proxy)
                    await now.catch_up()
                found = await now.settle()
                assert one.pid == pid
                assert one.is_running, "no process is restarted by hand"
        return found

    return run


@asynccontextmanager
async def behind(now: Scene, is_broker: bool) -> AsyncIterator[tuple[Settings, TcpProxy]]:
    """Settings that lead through a proxy to the broker, or to the database."""
    url = urlsplit(now.settings.database_url.get_secret_value())
    broker_port = int(now.settings.kafka_bootstrap.rpartition(":")[2])
    port = broker_port if is_broker else int(url.port or 0)
    async with proxied(ports.LOOPBACK, port, is_broker) as proxy:
        here = f"{ports.LOOPBACK}:{proxy.port}"
        changed_url = url._replace(netloc=f"{url.username}:{url.password}@{here}").geturl()
        change = (
            {"kafka_bootstrap": here} if is_broker else {"database_url": SecretStr(changed_url)}
        )
        yield now.settings.model_copy(update=change), proxy


ROWS: Final = (
    row("kafka-reset", "connections to Kafka are reset", reset, True),
    row("kafka-stall", "the network to Kafka stands still for 5 s", stall, True),
    row("kafka-latency", "Kafka answers after 2 s, for 8 s", slow_down, True),
    row("postgres-reset", "connections to PostgreSQL are reset", reset, False),
    row("postgres-stall", "the network to PostgreSQL stands still for 5 s", stall, False),
    row("postgres-latency", "PostgreSQL answers after 2 s, for 8 s", slow_down, False),
    row("commit-reply", "the reply to a COMMIT is lost", cut_commit, False),
)
