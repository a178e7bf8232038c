"""`parley rebuild` against the real Kafka and PostgreSQL, with the services as processes."""

import asyncio
import os
from random import Random
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from parley.codec import Outgoing, encode_seal, event_key
from parley.codec.seals import SEAL_HEADERS
from parley.db import pool as database
from parley.log.admin import admin_client
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.rebuilding.talk import Talk, running, send, settled, talking
from tests.support import views
from tests.support.command import Command, said
from tests.support.tables import assert_equal, definitions, dump
from tests.support.topics import read_records
from tests.support.wait import eventually
from tests.unit.persister.samples import sealed

# Services, commands and replays are many processes for a small machine.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

PATIENCE_S = 400
KILLS = 20 if os.environ.get("PARLEY_TEST_FULL") else 3


async def rebuild(settings: Settings, *options: str, status: int = 0) -> str:
    """What the command said; it must end with that status."""
    ended = await asyncio.to_thread(Command(settings), "rebuild", *options, timeout_s=PATIENCE_S)
    assert ended.returncode == status, said(ended)
    return said(ended)


async def all_jobs(tables: Any) -> list[Any]:
    rows = await tables.fetch("SELECT * FROM operations.jobs ORDER BY 1, 2, 3, 4, 5")
    return [tuple(row) for row in rows]


async def test_rebuilt_tables_are_the_same_and_everybody_goes_on(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(1_000))
        await settled(tables, talk)
        before, jobs = await dump(tables), await all_jobs(tables)
        letters = await tables.fetch("SELECT * FROM dead_letters ORDER BY id")
        copies = await read_records(migrated, Topic.DEAD_LETTERS)
        seals = len(await read_records(migrated, Topic.SEALS))
        defined = await definitions(tables)
        await rebuild(migrated)
        assert_equal(before, await dump(tables))
        assert await definitions(tables) == defined
        assert not await tables.fetchval("SELECT to_regnamespace('parley_former')")
        # What the topic holds is not published again.
        await settled(tables, talk)
        assert len(await read_records(migrated, Topic.SEALS)) == seals
        assert await all_jobs(tables) == jobs
        assert await tables.fetch("SELECT * FROM dead_letters ORDER BY id") == letters
        await send(migrated, talk.records(300))
        await settled(tables, talk)
    assert await tables.fetchval("SELECT count(*) FROM dead_letters") == talk.bad_count
    fresh = talk.bad_count - len(letters)
    assert len(await read_records(migrated, Topic.DEAD_LETTERS)) == len(copies) + fresh
    assert await views.residue(tables) == 0


async def test_a_swap_under_traffic_loses_nothing(migrated: Settings, tables: Any) -> None:
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(500))
        async with talking(talk):
            await rebuild(migrated)
        await settled(tables, talk)
        await assert_whole(migrated, tables, talk)


async def assert_whole(settings: Settings, tables: Any, talk: Talk) -> None:
    """Everything that was sent is there once, and the log says the same."""
    stored = {str(row[0]) for row in await tables.fetch("SELECT event_id FROM conversation_events")}
    assert stored == {one.event_id for one in talk.sent}
    assert await tables.fetchval("SELECT count(*) FROM dead_letters") == talk.bad_count
    assert await views.residue(tables) == 0
    verified = await asyncio.to_thread(Command(settings), "verify", timeout_s=PATIENCE_S)
    assert verified.returncode == 0, verified.stdout.decode() + said(verified)


async def test_an_empty_database_is_filled_from_the_log(
    migrated: Settings, tables: Any, beside: Settings
) -> None:
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(600))
        await settled(tables, talk)
    seals = len(await read_records(migrated, Topic.SEALS))
    await rebuild(beside)
    filled = await database.connect(beside)
    try:
        assert_equal(await dump(tables), await dump(filled))
        # Everybody begins where the tables stand, and publishes nothing again.
        async with running(beside, "persister", "sealer"):
            await eventually(lambda: has_owners(filled))
        assert_equal(await dump(tables), await dump(filled))
    finally:
        await filled.close()
    assert len(await read_records(migrated, Topic.SEALS)) == seals


async def has_owners(tables: Any) -> bool:
    return bool(await tables.fetchval("SELECT bool_and(owner <> '') FROM fences"))


async def test_a_seal_that_the_events_do_not_give_stops_the_swap(
    migrated: Settings, tables: Any
) -> None:
    talk = Talk(migrated)
    forged = sealed("1")
    async with running(migrated, "persister", "sealer"):
        await send(migrated, talk.records(200))
        key = event_key(forged.tenant_id, forged.conversation_id)
        value = encode_seal(forged)
        await send(migrated, [Outgoing(migrated.topic(Topic.SEALS), key, value, SEAL_HEADERS)])
        await settled(tables, talk)
        before = await dump(tables)
        told = await rebuild(migrated, status=1)
        assert "a replay does not give" in told
        assert forged.segment_id in told
        assert_equal(before, await dump(tables))
        await send(migrated, talk.records(100))
        await settled(tables, talk)


async def test_a_log_that_lost_its_beginning_is_refused(migrated: Settings, tables: Any) -> None:
    talk = Talk(migrated)
    await send(migrated, talk.records(100))
    tp = TopicPartition(migrated.topic(Topic.EVENTS), 0)
    async with admin_client(migrated) as admin:
        await admin.delete_records({tp: RecordsToDelete(before_offset=3)})
    told = await rebuild(migrated, status=1)
    assert "begins at offset 3" in told
    assert "pg_restore" in told


async def test_rebuilds_that_are_killed_leave_the_tables_and_the_next_goes_on(
    migrated: Settings, tables: Any
) -> None:
    chance = Random(3)
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(800))
        async with talking(talk):
            for _ in range(KILLS):
                process = Command(migrated).start("rebuild")
                await asyncio.sleep(chance.uniform(0.5, 9.0))
                process.kill()
                await asyncio.to_thread(process.communicate)
        # Whatever a killed swap held is free by itself.
        await settled(tables, talk)
        await assert_whole(migrated, tables, talk)
        before = await dump(tables)
        await rebuild(migrated)
        assert_equal(before, await dump(tables))


async def test_two_rebuilds_take_turns(migrated: Settings, tables: Any) -> None:
    await send(migrated, Talk(migrated).records(100))
    async with tables.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock(7261306)")
        assert "under way" in await rebuild(migrated, status=1)
        await connection.execute("SELECT pg_advisory_unlock(7261306)")
