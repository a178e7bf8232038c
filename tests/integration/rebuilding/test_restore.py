"""A database that was restored from an older dump catches up by itself: nothing is done by hand."""

import asyncio
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

import pytest

from parley.analyses import JobEnded, JobEndKind
from parley.codec import decode_analysis
from parley.db import pool as database
from parley.local.databases import create_database, drop_database
from parley.local.postgres import find_binaries
from parley.local.stack import Endpoints
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.rebuilding.talk import Talk, running, send, settled, talking
from tests.support import views
from tests.support.command import Command, said
from tests.support.topics import read_records

# Services, commands and replays are many processes for a small machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DUMPS = 5 if os.environ.get("PARLEY_TEST_FULL") else 1


async def test_an_older_dump_catches_up(
    migrated: Settings, stack: Endpoints, tmp_path: Path
) -> None:
    chance = Random(5)
    talk = Talk(migrated)
    for number in range(DUMPS):
        file = tmp_path / f"{number}.dump"
        async with running(migrated), talking(talk):
            await asyncio.sleep(chance.uniform(2, 5))
            await asyncio.to_thread(dump, migrated, file)
            await asyncio.sleep(chance.uniform(2, 5))
            # In the middle of everything.
        await asyncio.to_thread(restore, migrated, stack, file)
        async with running(migrated):
            await send(migrated, talk.records(200))
            await assert_caught_up(migrated, talk)
    await assert_analysed_once(migrated)


@pytest.mark.long
async def test_a_database_that_was_lost_runs_no_pass_again(
    migrated: Settings, stack: Endpoints
) -> None:
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(400))
        await assert_caught_up(migrated, talk)
    ends = len(await read_records(migrated, Topic.ANALYSES))
    await asyncio.to_thread(make_anew, migrated, stack)
    rebuilt = await asyncio.to_thread(Command(migrated), "rebuild", timeout_s=400)
    assert rebuilt.returncode == 0, said(rebuilt)
    async with running(migrated):
        await assert_caught_up(migrated, talk)
    assert len(await read_records(migrated, Topic.ANALYSES)) == ends
    await assert_analysed_once(migrated)


def dump(settings: Settings, file: Path) -> None:
    url = settings.database_url.get_secret_value()
    program = find_binaries() / "pg_dump"
    subprocess.run([program, "--format=custom", f"--file={file}", url], check=True)


def restore(settings: Settings, stack: Endpoints, file: Path) -> None:
    make_anew(settings, stack)
    url = settings.database_url.get_secret_value()
    program = find_binaries() / "pg_restore"
    subprocess.run([program, "--exit-on-error", f"--dbname={url}", file], check=True)


def make_anew(settings: Settings, stack: Endpoints) -> None:
    name = settings.database_url.get_secret_value().rpartition("/")[2]
    drop_database(stack, name)
    create_database(stack, name)


async def assert_caught_up(settings: Settings, talk: Talk) -> None:
    """Everything that was ever sent is in the tables, and they are what the log gives."""
    tables = await database.connect(settings)
    try:
        await settled(tables, talk, timeout_s=120)
        assert await stored(tables) == {one.event_id for one in talk.sent}
        assert await tables.fetchval("SELECT count(*) FROM dead_letters") == talk.bad_count
        assert await views.residue(tables) == 0
    finally:
        await tables.close()
    verified = await asyncio.to_thread(Command(settings), "verify", timeout_s=400)
    assert verified.returncode == 0, verified.stdout.decode() + said(verified)


async def stored(tables: Any) -> set[str]:
    rows = await tables.fetch("SELECT event_id FROM conversation_events")
    return {str(row["event_id"]) for row in rows}


async def assert_analysed_once(settings: Settings) -> None:
    """A record may be there twice, when it was published just before the dump; no other is made."""
    verdicts: dict[tuple[Any, ...], set[bytes]] = defaultdict(set)
    for record in await read_records(settings, Topic.ANALYSES):
        ended = decode_analysis(record.value)
        if isinstance(ended, JobEnded) and ended.end is JobEndKind.VERDICT:
            key = (ended.segment_id, ended.revision, ended.pass_name, ended.pass_version)
            verdicts[key].add(record.value or b"")
    assert verdicts
    assert [key for key, values in verdicts.items() if len(values) > 1] == []
