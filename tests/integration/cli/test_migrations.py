"""The migrations against the real PostgreSQL: up, compared, down, and up again."""

import asyncio
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from parley.db import migrations
from parley.db.schema import metadata
from parley.db.schema.base import OPERATIONS
from parley.settings import Settings
from tests.support.command import Command

pytestmark = pytest.mark.integration


def differences(link: Connection) -> list[Any]:
    context = MigrationContext.configure(
        link, opts={"compare_type": True, "compare_server_default": True, **migrations.COMPARED}
    )
    return list(compare_metadata(context, metadata))


def tables(link: Connection) -> set[str]:
    own = set(inspect(link).get_table_names()) - {"alembic_version"}
    operational = inspect(link).get_table_names(OPERATIONS) if has_operations(link) else []
    return own | {f"{OPERATIONS}.{name}" for name in operational}


def has_operations(link: Connection) -> bool:
    return OPERATIONS in inspect(link).get_schema_names()


async def test_the_migrations_make_exactly_the_tables_of_the_metadata(empty: Settings) -> None:
    version = await migrations.upgrade(empty)
    assert version.is_newest
    async with migrations.connection(empty) as link:
        assert await link.run_sync(differences) == []
        assert await link.run_sync(tables) == set(metadata.tables)


async def test_down_takes_everything_away_and_up_brings_it_back(empty: Settings) -> None:
    await migrations.upgrade(empty)
    version = await migrations.downgrade(empty, "base")
    assert version.current is None
    async with migrations.connection(empty) as link:
        assert await link.run_sync(tables) == set()
    await migrations.upgrade(empty)
    async with migrations.connection(empty) as link:
        assert await link.run_sync(differences) == []


async def test_two_upgrades_at_once_take_turns(empty: Settings) -> None:
    versions = await asyncio.gather(*(migrations.upgrade(empty) for _ in range(3)))
    assert all(version.is_newest for version in versions)


async def test_the_command_upgrades_once_and_then_finds_nothing_to_do(empty: Settings) -> None:
    parley = Command(empty)
    before = await asyncio.to_thread(parley.json, "db", "status", status=1)
    assert before[0]["state"] == "behind"
    for _ in range(2):
        after = await asyncio.to_thread(parley.json, "db", "upgrade")
        assert after[0]["state"] == "up to date"
    assert await asyncio.to_thread(parley.json, "db", "status") == after
