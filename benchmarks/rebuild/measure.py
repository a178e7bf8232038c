"""Publishes a log, and watches `parley rebuild` make tables of it.

One rate is that of the whole command: replays side by side, indexes, checks and swap. The
processes that replay are its children; their processor time and memory are looked at until they
end. The other one is what each of these processes reads when it has the machine for itself.
"""

import asyncio
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import asyncpg
import orjson
import psutil

from benchmarks.processes import LoadFailed, tree_cpu_seconds
from benchmarks.rebuild.report import AloneRun, RebuildReport, RebuildRun, ReplayRun
from benchmarks.rebuild.traffic import publish
from parley import clock
from parley.db.pool import connect
from parley.rebuilding import shadow
from parley.rebuilding.children import MODULES, Replayer
from parley.rebuilding.replaying import log_ends, mark, patient
from parley.rebuilding.swap import drain
from parley.settings import Settings
from tests.support.processes import ROOT, environment

LOOK_EVERY_S: Final = 0.1
# "services.persister.replay" is the persister's.
REPLAYS: Final = {module.split(".")[1]: module for module in MODULES}
# Beside the tables that the command makes.
SCHEMA: Final = "parley_replay_alone"

Say = Callable[[str], None]


@dataclass(slots=True)
class _Seen:
    """What a process was seen to have used, look by look."""

    cpu_seconds: float = 0.0
    rss_bytes: list[int] = field(default_factory=list)


def measure(
    settings: Settings, postgres_pid: int, event_count: int, run_count: int, say: Say
) -> RebuildReport:
    """The same log rebuilt `run_count` times."""
    say(f"publishing {event_count:,} messages")
    asyncio.run(publish(settings, event_count))
    say("the first rebuild, which is not measured: it decides the seals")
    _run(settings, postgres_pid, event_count)
    asyncio.run(_publish_seals(settings))
    runs = []
    for number in range(run_count):
        say(f"run {number + 1} of {run_count}: parley rebuild")
        run = _run(settings, postgres_pid, event_count)
        asyncio.run(_check_and_vacuum(settings, event_count))
        say(f"run {number + 1} of {run_count}: each replay alone")
        runs.append(replace(run, alone=_each_alone(settings, postgres_pid, event_count)))
    return RebuildReport(event_count, tuple(runs))


async def _publish_seals(settings: Settings) -> None:
    """The log of a deployment that ran holds what its sealer decided."""
    live = await connect(settings)
    try:
        await drain(live, settings, ["sealer"])
    finally:
        await live.close()


def _each_alone(settings: Settings, postgres_pid: int, event_count: int) -> dict[str, AloneRun]:
    return {
        name: asyncio.run(_alone(settings, postgres_pid, event_count, module))
        for name, module in REPLAYS.items()
    }


async def _alone(settings: Settings, postgres_pid: int, event_count: int, module: str) -> AloneRun:
    """One process reads the whole log into new tables, and nobody else does anything."""
    async with patient(settings) as connection:
        await shadow.prepare(connection, SCHEMA, mark(), is_anew=True)
        replayer = await Replayer.start(module, settings, SCHEMA)
        try:
            ends = await log_ends(settings, replayer.consumers)
            postgres_used = tree_cpu_seconds(postgres_pid)
            began_s = clock.monotonic()
            async with shadow.settling(connection, SCHEMA):
                await replayer.run_to(ends, _ignore)
            took_s = clock.monotonic() - began_s
            postgres_used = tree_cpu_seconds(postgres_pid) - postgres_used
        finally:
            await replayer.stop()
            await shadow.drop(connection, SCHEMA)
    return AloneRun(event_count / took_s, postgres_used * 100_000 / event_count)


def _ignore(_records: int) -> None:
    """How far it is."""


def _run(settings: Settings, postgres_pid: int, event_count: int) -> RebuildRun:
    postgres_used = tree_cpu_seconds(postgres_pid)
    began_s = clock.monotonic()
    command = subprocess.Popen(
        [sys.executable, "-m", "parley", "rebuild", "--anew", "--output", "json"],
        env=environment(settings),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    seen = _watch(command)
    output, errors = command.communicate()
    took_s = clock.monotonic() - began_s
    if command.returncode:
        raise LoadFailed(f"parley rebuild: {errors.decode()[-2_000:]}")
    share = 100_000 / event_count
    [told] = orjson.loads(output)
    return RebuildRun(
        events_per_second=event_count / took_s,
        seconds=took_s,
        held_seconds=told["held_seconds"],
        seals_compared=told["seals_compared"],
        postgres_cpu_seconds=(tree_cpu_seconds(postgres_pid) - postgres_used) * share,
        replays={
            name: ReplayRun(
                one.cpu_seconds * share,
                peak_rss_bytes=max(one.rss_bytes),
                rss_growth=max(one.rss_bytes) / max(_first_half(one.rss_bytes)),
            )
            for name, one in seen.items()
        },
    )


def _first_half(looks: list[int]) -> list[int]:
    return looks[: (len(looks) + 1) // 2]


def _watch(command: "subprocess.Popen[bytes]") -> dict[str, _Seen]:
    """Look at the command's replays until it ends."""
    seen: dict[str, _Seen] = defaultdict(_Seen)
    root = psutil.Process(command.pid)
    while True:
        try:
            command.wait(LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            for name, cpu_seconds, rss_bytes in _replays_of(root):
                seen[name].cpu_seconds = cpu_seconds
                seen[name].rss_bytes.append(rss_bytes)
        else:
            return seen


def _replays_of(root: psutil.Process) -> Iterator[tuple[str, float, int]]:
    try:
        for child in root.children():
            words = child.cmdline()
            for name, module in REPLAYS.items():
                if module in words:
                    times = child.cpu_times()
                    yield name, times.user + times.system, child.memory_info().rss
    except psutil.NoSuchProcess:
        # It ended between two questions.
        return


async def _check_and_vacuum(settings: Settings, event_count: int) -> None:
    """The next run finds tables that stand, and nothing left to do with them by autovacuum."""
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        found = await connection.fetchval("SELECT count(*) FROM conversation_messages")
        await connection.execute("VACUUM (ANALYZE)")
    finally:
        await connection.close()
    if found != event_count:
        raise LoadFailed(f"{found:,} messages instead of {event_count:,}")
