"""The migrations against the real PostgreSQL: up, compared, down, and up again."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect

from parley.db import migrations, rules
from parley.db.schema import metadata
from parley.db.schema.base import OPERATIONS
from parley.settings import Settings
from tests.support.command import Command
from tests.support.rows import fill

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


async def test_down_and_up_again_works_on_tables_with_rows(empty: Settings) -> None:
    await migrations.upgrade(empty)
    await within(empty, fill)
    await migrations.downgrade(empty, "base")
    assert await within(empty, leftovers) == []
    await migrations.upgrade(empty)
    await within(empty, fill)

    async def count(connection: Any) -> Any:
        return await connection.fetchval("SELECT sum(messages) FROM daily_counts")

    assert await within(empty, count) == 4


async def within(settings: Settings, work: Callable[[Any], Awaitable[Any]]) -> Any:
    connection = await asyncpg.connect(settings.database_url.get_secret_value())
    try:
        return await work(connection)
    finally:
        await connection.close()


async def leftovers(connection: Any) -> list[str]:
    """What a database still has of Parley."""
    rows = await connection.fetch(
        """
        SELECT relname::text FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'alembic_version%'
        UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname = 'operations'
        """
    )
    return [row[0] for row in rows]


async def test_an_upgrade_makes_views_and_policies_anew_where_they_differ(empty: Settings) -> None:
    await migrations.upgrade(empty)

    async def spoil(connection: Any) -> None:
        await connection.execute(
            "COMMENT ON FUNCTION record_message IS 'of another release'; DROP VIEW daily_counts; "
            "DROP POLICY tenant_rows ON verdicts"
        )

    await within(empty, spoil)
    await migrations.upgrade(empty)

    async def found(connection: Any) -> tuple[Any, ...]:
        return tuple(
            await connection.fetchrow(
                """
                SELECT to_regclass('daily_counts') IS NOT NULL,
                       (SELECT count(*) FROM pg_policies WHERE policyname = 'tenant_rows')
                """
            )
        )

    assert await within(empty, found) == (True, len(rules.tenant_tables()))


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
