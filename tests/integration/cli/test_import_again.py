"""Imports that are interrupted, held back, or waited for, against the real Kafka."""

import asyncio
import signal
import subprocess
from pathlib import Path

import orjson
import pytest

from parley.db import pool as database
from parley.events import ImportFinished
from parley.importing.publish import BATCH_RECORDS
from parley.settings import Settings
from tests.integration.cli.imports import (
    BOOKMARKED,
    events,
    killed_halfway,
    messages,
    pretend_readers,
    pretend_services,
    record_count,
    rows,
    run,
    write,
)
from tests.support.command import Command, said
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def begin(settings: Settings, parley: Command, file: str) -> "subprocess.Popen[bytes]":
    """Start an import, and return it paused in the middle of its publishing.

    It is paused whenever somebody looks, or on a busy machine it would be over between the look
    and the signal that is to interrupt it.
    """
    process = parley.start("import", "jsonl", file, "--no-wait")

    async def has_begun() -> bool:
        process.send_signal(signal.SIGSTOP)
        assert process.poll() is None, "the import was over before it could be interrupted"
        if await record_count(settings) > settings.partitions + 1_000:
            return True
        process.send_signal(signal.SIGCONT)
        return False

    await eventually(has_begun, every=0.1)
    return process


async def test_an_import_that_was_killed_is_simply_run_again(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(60_000, conversations=3_000))
    for _ in range(2):
        process = await begin(settings, parley, file)
        process.kill()
        process.communicate()
    interrupted = await events(settings)
    assert 0 < len({one.event_id for one in messages(interrupted)}) < 60_000
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "-o", "json")
    assert ended.returncode == 0, said(ended)
    found = await events(settings)
    assert len({one.event_id for one in messages(found)}) == 60_000
    assert len({one.import_id for _, one in found}) == 1
    finished = [one for _, one in found if isinstance(one.body, ImportFinished)]
    assert len(finished) == settings.partitions


async def test_ctrl_c_says_that_it_can_be_run_again(
    settings: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(60_000, conversations=3_000))
    process = await begin(settings, parley, file)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    _, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 130
    assert b"Run the same command again" in stderr
    assert b"Traceback" not in stderr


async def test_an_import_goes_on_where_its_bookmarks_are(
    settings: Settings, parley: Command, migrated: Settings, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(20_000, conversations=1_000))
    pool = await database.connect(migrated)
    known = await killed_halfway(settings, pool, parley, "import", "jsonl", file, "--no-wait")
    before = len(messages(await events(settings)))
    assert 0 < known <= before < 20_000
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "-o", "json")
    assert orjson.loads(ended.stdout)["already_published"] == known
    assert len(messages(await events(settings))) == before + 20_000 - known
    assert await pool.fetchval(BOOKMARKED) == 20_000
    await pool.close()


async def test_an_import_waits_while_the_services_are_behind(
    settings: Settings, parley: Command, migrated: Settings, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(30_000, conversations=3_000))
    pool = await database.connect(migrated)
    await pretend_readers(settings, pool)
    process = parley.start("import", "jsonl", file, "--no-wait", "--max-lag", "1000")

    async def stands_still() -> bool:
        before = await record_count(settings)
        await asyncio.sleep(1)
        return before > settings.partitions and before == await record_count(settings)

    await eventually(stands_still)
    # A batch may be under way when the limit is reached.
    assert await record_count(settings) <= settings.partitions * (1_000 + BATCH_RECORDS + 1)
    assert process.poll() is None
    await pool.execute("UPDATE fences SET next_offset = 1000000 WHERE consumer = 'persister'")
    assert await stands_still(), "the sealer is behind still"
    await pool.execute("UPDATE fences SET next_offset = 1000000 WHERE consumer = 'sealer'")
    _, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, stderr.decode()
    assert len(messages(await events(settings))) == 30_000
    await pool.close()


async def test_a_stopped_consumer_ends_the_import_that_would_wait_for_it(
    settings: Settings, parley: Command, migrated: Settings, tmp_path: Path
) -> None:
    file = write(tmp_path / "many.jsonl", rows(10_000, conversations=3_000))
    pool = await database.connect(migrated)
    await pretend_readers(settings, pool, "too many bad records")
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "--max-lag", "1000")
    assert ended.returncode == 1
    assert "too many bad records" in said(ended)
    assert "it goes on where it was" in said(ended)
    ended = await run(parley, "import", "jsonl", file, "--no-wait", "--max-lag", "0")
    assert ended.returncode == 0, said(ended)
    await pool.close()


async def test_an_import_waits_until_the_services_have_read_it(
    migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    file = write(tmp_path / "a.jsonl", rows(40))
    process = parley.start("import", "jsonl", file, "-o", "json")

    async def is_published() -> bool:
        return await record_count(migrated) == 40 + 2 * migrated.partitions

    await eventually(is_published)
    assert process.poll() is None
    pool = await database.connect(migrated)
    try:
        await pretend_services(migrated, pool)
    finally:
        await pool.close()
    stdout, stderr = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, stderr.decode()
    facts = orjson.loads(stdout)
    assert (facts["messages"], facts["new_messages"], facts["already_known"]) == (40, 0, 40)
    assert list(facts["seconds"]) == ["read", "publish", "stored", "sealed", "analysed"]


async def test_a_partition_that_stands_still_ends_the_waiting_with_its_reason(
    migrated: Settings, parley: Command, tmp_path: Path
) -> None:
    pool = await database.connect(migrated)
    try:
        await pretend_services(migrated, pool, "too many bad records")
    finally:
        await pool.close()
    ended = await run(parley, "import", "jsonl", write(tmp_path / "a.jsonl", rows(4)))
    assert ended.returncode == 1
    assert "too many bad records" in said(ended)
    assert "safe in the log" in said(ended)
