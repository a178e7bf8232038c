"""The disk under PostgreSQL's tables is full, and then it is not."""

import asyncio
import errno
import pwd
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final

import asyncpg

from tests.faults.row import CannotPlay, Findings, Row
from tests.faults.scene import persister, scene, started
from tests.faults.stage import Stage
from tests.support.processes import ServiceProcess, health
from tests.support.wait import eventually

DISK_MIB: Final = 128
# How long it stays full after the persister has noticed.
FULL_FOR_S: Final = 5.0
CHUNK: Final = b"\0" * 65_536
MOVE: Final = """
ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE small;
ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE small;
"""


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Fill the disk, wait until the persister has noticed, free it."""
    async with small_disk(stage) as disk, scene(stage, first) as now:
        await now.pool.execute(MOVE)
        one = persister(now.settings)
        async with started(one):
            pid = one.pid
            for _ in range(count):
                await now.sent(300)
                await now.read_on()
                with filled(disk):
                    await noticed(one)
                    await degraded(one)
                    await asyncio.sleep(FULL_FOR_S)
                await now.catch_up()
            found = await now.settle()
            assert one.pid == pid
            assert one.is_running, "no process is restarted by hand"
    return found


async def noticed(one: ServiceProcess) -> None:
    """Wait until the persister says once more that the disk is full."""
    before = one.output.count("DiskFullError")

    async def says_so() -> bool:
        return one.output.count("DiskFullError") > before

    await eventually(says_so, timeout=60)


async def degraded(one: ServiceProcess) -> None:
    """Wait until health says that a batch is tried again, and why."""

    async def says_so() -> bool:
        report = await asyncio.to_thread(health, one.url)
        detail = report["dependencies"]["batches"]["detail"]
        return report["status"] == "degraded" and "DiskFullError (53100)" in detail

    await eventually(says_so, timeout=60)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Take all room, to the last block, while the body runs."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(CHUNK)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
    try:
        yield
    finally:
        ballast.unlink()


@asynccontextmanager
async def small_disk(stage: Stage) -> AsyncIterator[Path]:
    """A disk in memory with the tablespace `small` on it; raises CannotPlay where none may be."""
    await asyncio.to_thread(stage.stack.up, lambda _: None)
    disk = stage.folder / "disk"
    disk.mkdir()
    with mounted(disk):
        tables = disk / "tables"
        tables.mkdir()
        # Where root runs it, the server runs as nobody.
        owner = pwd.getpwnam("nobody")
        shutil.chown(tables, owner.pw_uid, owner.pw_gid)
        url = stage.stack.endpoints().database_url
        await execute(url, f"CREATE TABLESPACE small LOCATION '{tables}'")
        try:
            yield disk
        finally:
            await execute(url, "DROP TABLESPACE small")


@contextmanager
def mounted(disk: Path) -> Iterator[None]:
    """Mount it; only root may, and not in every container."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        disk.rmdir()
        raise CannotPlay(f"no disk can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", str(disk)], check=True)
        disk.rmdir()


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


ROW = Row(
    "postgres-disk-full",
    "the disk of PostgreSQL's tables is full for 5 s; nothing is dead-lettered, all goes on after",
    unit="times",
    full=5,
    short=1,
    at_once=5,
    run=run,
)
