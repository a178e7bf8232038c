"""A record once refused stays so in every replay, whatever the tables would take by then."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from parley.db import migrations
from parley.db import pool as database
from parley.ids import random_id
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.persister.reading import ledger
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@asynccontextmanager
async def other_database(stack: Endpoints, settings: Settings) -> AsyncIterator[Settings]:
    """The same topics, and an empty database that refuses nothing."""
    name = f"r{random_id().replace('-', '')[:12]}"
    url = await asyncio.to_thread(create_database, stack, name)
    other = settings.model_copy(update={"database_url": SecretStr(url)})
    await migrations.upgrade(other)
    try:
        yield other
    finally:
        await asyncio.to_thread(drop_database, stack, name)


async def until_all_is_read(settings: Settings, pool: Any) -> None:
    """Also what follows from the records that were refused."""

    async def is_read() -> bool:
        if await pool.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL"):
            return False
        now = await ledger(pool, settings, Topic.EVENTS)
        assert now.residue == 0
        return now.consumed == len(await read_records(settings, Topic.EVENTS))

    await eventually(is_read, timeout=60)


async def refuse_one(settings: Settings, pool: Any) -> None:
    """A message among others that the table does not take, and the word about it in the log."""
    await pool.execute(
        "ALTER TABLE conversation_messages ADD CONSTRAINT picky CHECK (content <> 'refuse me')"
    )
    texts = ["one", "refuse me", "two"]
    await publish(settings, [message("c", text, text) for text in texts])
    with ServiceProcess("persister", settings):
        await until_all_is_read(settings, pool)


async def found_in(settings: Settings, pool: Any) -> tuple[Any, ...]:
    messages = await pool.fetch("SELECT content FROM conversation_messages ORDER BY content")
    letters = await pool.fetch("SELECT partition, log_offset, reason, detail FROM dead_letters")
    counted = await ledger(pool, settings, Topic.EVENTS)
    return [row["content"] for row in messages], [tuple(row) for row in letters], counted


async def test_a_replay_into_tables_that_would_take_it_drops_what_was_refused(
    settings: Settings, pool: Any, stack: Endpoints
) -> None:
    await refuse_one(settings, pool)
    before = await found_in(settings, pool)
    assert before[0] == ["one", "two"]
    async with other_database(stack, settings) as other, await database.connect(other) as others:
        with ServiceProcess("persister", other):
            await until_all_is_read(other, others)
        assert await found_in(other, others) == before


async def test_a_replay_that_stored_it_before_it_read_that_it_was_refused_says_so(
    settings: Settings, pool: Any, stack: Endpoints
) -> None:
    await refuse_one(settings, pool)
    async with other_database(stack, settings) as other, await database.connect(other) as others:
        one_by_one = {"PARLEY_PERSISTER_BATCH_RECORDS": "1"}
        with ServiceProcess("persister", other, **one_by_one) as persister:
            await until_all_is_read(other, others)
            assert '"stored_though_refused"' in persister.output
