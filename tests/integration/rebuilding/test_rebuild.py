"""`parley rebuild` against the real Kafka and PostgreSQL, with the services as processes."""

import asyncio
from typing import Any

import pytest

from parley.settings import Settings
from tests.integration.rebuilding.talk import Talk, running, send, settled
from tests.support.command import Command, said
from tests.support.tables import assert_equal, dump

pytestmark = pytest.mark.integration


@pytest.fixture
async def migrated(settings: Settings, pool: Any) -> Settings:
    """The tables of `settings` as if its migrations had made them, which the command asks for."""
    await pool.execute("CREATE TABLE alembic_version (version_num text PRIMARY KEY)")
    await pool.execute("INSERT INTO alembic_version VALUES ('0001')")
    return settings


async def test_tables_that_are_rebuilt_are_the_same(migrated: Settings, pool: Any) -> None:
    talk = Talk(migrated)
    async with running(migrated):
        await send(migrated, talk.records(1_000))
        await settled(pool, talk)
        before, jobs = await dump(pool), await all_jobs(pool)
        ended = await asyncio.to_thread(Command(migrated), "rebuild", "-o", "json")
        assert ended.returncode == 0, said(ended)
        assert_equal(before, await dump(pool))
        assert await all_jobs(pool) == jobs
        # And everybody goes on.
        await send(migrated, talk.records(300))
        await settled(pool, talk)
        assert await pool.fetchval("SELECT count(*) FROM dead_letters") == talk.bad_count


async def all_jobs(pool: Any) -> list[Any]:
    return [tuple(row) for row in await pool.fetch("SELECT * FROM operations.jobs ORDER BY 1,2,3")]
