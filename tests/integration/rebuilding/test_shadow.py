"""Tables beside the live ones are the same tables, once they are finished."""

from typing import Any

import asyncpg
import pytest

from parley.rebuilding import shadow
from tests.support.tables import definitions

pytestmark = pytest.mark.integration

SHADOW = "parley_rebuild"


async def test_what_a_replay_goes_without_is_added_at_the_end(tables: Any) -> None:
    async with tables.acquire() as connection, tables.acquire() as beside:
        await connection.execute("CREATE INDEX by_hand ON conversation_messages (role)")
        live = await definitions(connection)
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        assert await definitions(connection, SHADOW) < live
        await shadow.finish(connection, beside, SHADOW)
        assert await definitions(connection, SHADOW) == live


async def test_finishing_again_changes_nothing(tables: Any) -> None:
    async with tables.acquire() as connection, tables.acquire() as beside:
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        await shadow.finish(connection, beside, SHADOW)
        await shadow.finish(connection, beside, SHADOW)
        assert await definitions(connection, SHADOW) == await definitions(connection)


async def test_where_one_part_fails_the_other_is_ended_and_said_to_have_failed(tables: Any) -> None:
    async with tables.acquire() as connection, tables.acquire() as beside:
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        await beside.execute("SET lock_timeout = '100ms'")
        async with tables.acquire() as other, other.transaction():
            await other.execute(f"LOCK TABLE {SHADOW}.conversation_events")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await shadow.finish(connection, beside, SHADOW)
        await beside.execute("RESET lock_timeout")
        await shadow.finish(connection, beside, SHADOW)
        assert await definitions(connection, SHADOW) == await definitions(connection)
