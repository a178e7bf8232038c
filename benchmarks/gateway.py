"""Measures the gateway against a bare echo on the same server, in turns."""

import asyncio
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Final

from benchmarks.load import Plan
from benchmarks.processes import Run, rss_bytes, run_load
from benchmarks.results import Series, Target
from parley import clock
from parley.ids import random_id
from parley.log.admin import apply_topics
from parley.settings import Settings
from tests.support.processes import ServiceProcess

CONNECTIONS: Final = (100, 1_000)
PATH: Final = "/api/ws/conversations"
OPEN_LOOP_PER_SECOND: Final = 2_000
IDLE_CONNECTIONS: Final = 1_000
SETTLE_S: Final = 3.0
START_TIMEOUT_S: Final = 20.0

# The limits are on, but out of the way: the generator is one user of one address, and it hurries.
ENVIRONMENT: Final = {
    "PARLEY_GATEWAY_RATE_PER_CONNECTION": "1000000",
    "PARLEY_GATEWAY_BURST_PER_CONNECTION": "1000000",
    "PARLEY_GATEWAY_RATE_PER_USER": "1000000",
    "PARLEY_GATEWAY_BURST_PER_USER": "1000000",
    "PARLEY_GATEWAY_MAX_CONNECTIONS_PER_USER": "10000",
    "PARLEY_GATEWAY_MAX_CONNECTIONS_PER_ADDRESS": "10000",
    "PARLEY_GATEWAY_HELLO_TIMEOUT": "60",
}

# Of the echo's rate, in percent.
WANTED_SHARE: Final = {100: 40.0, 1_000: 35.0}
WANTED_P99_MS: Final = 20.0
WANTED_KB_PER_CONNECTION: Final = 60.0


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often to measure."""

    runs: int = 3
    seconds: float = 6.0
    warm_up_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Job:
    """What one series is made of: so many connections to a server, which each run asks for."""

    name: str
    server: Callable[[], AbstractContextManager[ServiceProcess]]
    connections: int
    per_second: float = 0.0
    is_echo: bool = False


def measure(
    settings: Settings, broker_pid: int, effort: Effort, progress: Callable[[str], None]
) -> tuple[Series, ...]:
    """Every series of the gateway and of its peers."""
    with ExitStack() as stack:
        jobs = [*_jobs(stack, settings)]
        found: dict[str, list[Run]] = {job.name: [] for job in jobs}
        for number in range(effort.runs):
            for job in jobs:
                progress(f"run {number + 1} of {effort.runs}: {job.name}")
                with job.server() as process:
                    plan = _plan(job, process, effort)
                    found[job.name].append(run_load(plan, process.pid, {"broker": broker_pid}))
    return tuple(Series(name, tuple(runs)) for name, runs in found.items())


def measure_memory(settings: Settings, progress: Callable[[str], None]) -> float:
    """Kilobytes (of 1,000 bytes) of one idle connection that has said hello."""
    progress(f"memory of {IDLE_CONNECTIONS} idle connections")
    # With a persister, as it runs anywhere: what the tables lacked would be read into the memory of
    # the gateway for each conversation that begins.
    with _fresh_gateway(settings, "persister") as gateway:
        plan = Plan(_url(gateway, "warm"), 100, OPEN_LOOP_PER_SECOND, measure_s=2.0)
        # What the first connections make the process load and keep is nobody's.
        run_load(plan, gateway.pid, {})
        time.sleep(SETTLE_S)
        before = rss_bytes(gateway.pid)
        idle = Plan(_url(gateway, "idle"), IDLE_CONNECTIONS, warm_up_s=SETTLE_S, idle_s=1.0)
        held = run_load(idle, gateway.pid, {}).rss_bytes
    return (held - before) / IDLE_CONNECTIONS / 1_000


def targets(series: Sequence[Series], kb_per_connection: float) -> tuple[Target, ...]:
    """What was found against what is wanted."""
    by_name = {one.name: one for one in series}
    found = []
    for connections in CONNECTIONS:
        echo = by_name[f"echo, {connections} connections"]
        acks = by_name[f"durable acks, {connections} connections"]
        share = 100 * acks.median("per_second") / echo.median("per_second")
        name = f"durable acks/s, share of the bare echo, {connections} connections"
        found.append(Target(name, "%", share, WANTED_SHARE[connections], is_at_least=True))
        # Of the two the steadier: who else uses the machine changes rates, and CPU seconds little.
        share = 100 * echo.cpu("server") / acks.cpu("server")
        name = f"the same by the servers' CPU seconds, {connections} connections"
        found.append(Target(name, "%", share, WANTED_SHARE[connections], is_at_least=True))
    for connections in CONNECTIONS:
        p99_ms = by_name[f"2,000/s, {connections} connections"].median("p99_ms")
        name = f"ack p99 at 2,000/s, {connections} connections"
        found.append(Target(name, "ms", p99_ms, WANTED_P99_MS, is_at_least=False))
    memory = Target(
        "memory of an idle connection",
        "KB",
        kb_per_connection,
        WANTED_KB_PER_CONNECTION,
        is_at_least=False,
    )
    return (*found, memory)


def _jobs(stack: ExitStack, settings: Settings) -> Iterator[Job]:
    ceiling = nullcontext(_ceiling(stack, settings))
    echo = nullcontext(stack.enter_context(ServiceProcess("benchmarks.echo", settings)))
    fresh = partial(_fresh_gateway, settings)
    name = "generator's ceiling (echo in C), 100"
    yield Job(name, lambda: ceiling, CONNECTIONS[0], is_echo=True)
    for connections in CONNECTIONS:
        yield Job(f"echo, {connections} connections", lambda: echo, connections, is_echo=True)
        yield Job(f"durable acks, {connections} connections", fresh, connections)
    for connections in CONNECTIONS:
        name = f"2,000/s, {connections} connections"
        yield Job(name, fresh, connections, OPEN_LOOP_PER_SECOND)


def _plan(job: Job, process: ServiceProcess, effort: Effort) -> Plan:
    return Plan(
        _url(process, "c"),
        job.connections,
        job.per_second,
        is_echo=job.is_echo,
        warm_up_s=effort.warm_up_s,
        measure_s=effort.seconds,
    )


def _ceiling(stack: ExitStack, settings: Settings) -> ServiceProcess:
    ceiling = ServiceProcess("benchmarks.ceiling", settings)
    stack.push(ceiling)
    # It speaks WebSocket only, so there is no /readyz to ask.
    ceiling.start(wait=False)
    deadline_s = clock.monotonic() + START_TIMEOUT_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", ceiling.port)).close()
        except ConnectionRefusedError:
            if clock.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return ceiling


@contextmanager
def running_gateway(settings: Settings) -> Iterator[ServiceProcess]:
    """A gateway whose limits are out of the way."""
    with ServiceProcess("gateway", settings, **ENVIRONMENT) as process:
        yield process


@contextmanager
def _fresh_gateway(settings: Settings, *others: str) -> Iterator[ServiceProcess]:
    """A gateway whose log is empty, and the other services.

    Where no persister is among them nobody stores what is written: of a log that had grown past its
    memory a gateway would read, while it is measured, all that the tables lack, for every
    conversation that begins.
    """
    own = settings.model_copy(update={"topic_prefix": f"bench-{random_id()[:8]}."})
    asyncio.run(apply_topics(own))
    with ExitStack() as stack:
        for name in others:
            stack.enter_context(ServiceProcess(name, own))
        yield stack.enter_context(running_gateway(own))


def _url(process: ServiceProcess, name: str) -> str:
    return f"ws://127.0.0.1:{process.port}{PATH}/{name}"
