"""One run of one sink: its rate, its processor time and its memory, seen from outside.

The rate is taken from the moment at which the first rows are visible, without them, to the one
at which the last are: a JVM's start is not in it, its warm-up is. The processor time is the
process's whole life's, its start included; `busy_cpu_seconds` is that of the measured stretch.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from benchmarks.processes import LoadFailed, cpu_seconds, peak_rss_bytes, tree_cpu_seconds
from parley import clock
from parley.db.pool import Connection
from parley.db.sql import load

SQL: Final = load(__package__)
START_TIMEOUT_S: Final = 120.0
RUN_TIMEOUT_S: Final = 300.0
POLL_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class SinkRun:
    """What was found; CPU seconds are per 100,000 rows."""

    rows_per_second: float
    start_seconds: float
    """From the process's start to its first rows."""
    cpu_seconds: float
    busy_cpu_seconds: float
    postgres_cpu_seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """Which table is watched, and by which ids it is known to be full.

    `name` is how its queries begin: "simple", or "full" for the persister's own tables.
    """

    name: str
    row_count: int
    last_ids: Sequence[str]


async def watch(
    connection: Connection, table: Table, pid: int, postgres_pid: int, is_alive: Callable[[], bool]
) -> SinkRun:
    """Follow a sink that has just been started until its table is full; raises LoadFailed."""
    began_s = clock.monotonic()
    await _until(connection, SQL[f"{table.name}_has_rows"], [], is_alive, START_TIMEOUT_S)
    first_s = clock.monotonic()
    before = await connection.fetchval(SQL[f"{table.name}_count"])
    used, postgres_used = cpu_seconds(pid), tree_cpu_seconds(postgres_pid)
    await _until(
        connection, SQL[f"{table.name}_has_all"], [table.last_ids], is_alive, RUN_TIMEOUT_S
    )
    took_s = clock.monotonic() - first_s
    share = 100_000 / (table.row_count - before)
    whole_life = cpu_seconds(pid)
    run = SinkRun(
        rows_per_second=(table.row_count - before) / took_s,
        start_seconds=first_s - began_s,
        cpu_seconds=whole_life * 100_000 / table.row_count,
        busy_cpu_seconds=(whole_life - used) * share,
        postgres_cpu_seconds=(tree_cpu_seconds(postgres_pid) - postgres_used) * share,
        peak_rss_bytes=peak_rss_bytes(pid),
    )
    await _check(connection, table)
    return run


async def copy_from_file(
    connection: Connection, table: Table, path: str, columns: Sequence[str], postgres_pid: int
) -> SinkRun:
    """The limit: COPY of the same rows, by this process, from a text file."""
    used, postgres_used = cpu_seconds(0), tree_cpu_seconds(postgres_pid)
    began_s = clock.monotonic()
    await connection.copy_to_table("bench_messages", source=path, columns=columns)
    took_s = clock.monotonic() - began_s
    share = 100_000 / table.row_count
    client = (cpu_seconds(0) - used) * share
    await _check(connection, table)
    return SinkRun(
        rows_per_second=table.row_count / took_s,
        start_seconds=0.0,
        cpu_seconds=client,
        busy_cpu_seconds=client,
        postgres_cpu_seconds=(tree_cpu_seconds(postgres_pid) - postgres_used) * share,
        peak_rss_bytes=peak_rss_bytes(0),
    )


async def _until(
    connection: Connection,
    question: str,
    arguments: Sequence[Sequence[str]],
    is_alive: Callable[[], bool],
    timeout_s: float,
) -> None:
    deadline_s = clock.monotonic() + timeout_s
    while not await connection.fetchval(question, *arguments):
        if not is_alive():
            raise LoadFailed("the sink ended before its table was full")
        if clock.monotonic() > deadline_s:
            raise LoadFailed(f"not done within {timeout_s:g} s")
        await asyncio.sleep(POLL_S)


async def _check(connection: Connection, table: Table) -> None:
    count = await connection.fetchval(SQL[f"{table.name}_count"])
    if count != table.row_count:
        raise LoadFailed(f"{count:,} rows instead of {table.row_count:,}")


async def empty(connection: Connection) -> None:
    """The simple table anew, the persister's tables empty and its offsets forgotten."""
    await connection.execute(SQL["create_table"])
    await connection.execute(SQL["empty_tables"])
    try:
        await connection.execute("CHECKPOINT")
    except asyncpg.InsufficientPrivilegeError:
        # A database that somebody brought: then a checkpoint may fall into any of the runs.
        return
