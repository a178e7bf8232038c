"""Tables beside the live ones are the same tables, once they are finished."""

from typing import Any

import pytest

from parley.rebuilding import shadow
from parley.rebuilding.shadow import LIVE, TABLES

pytestmark = pytest.mark.integration

SHADOW = "parley_rebuild"
DEFINITIONS = """
SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), $1 || '.', '')
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
UNION ALL
SELECT c.relname, replace(pg_get_constraintdef(k.oid), $1 || '.', '')
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
"""


async def definitions(connection: Any, schema: str) -> set[tuple[str, str]]:
    """The indexes and constraints of a schema's tables."""
    return {tuple(row) for row in await connection.fetch(DEFINITIONS, schema, list(TABLES))}


async def test_what_a_replay_goes_without_is_added_at_the_end(tables: Any) -> None:
    async with tables.acquire() as connection:
        await connection.execute("CREATE INDEX by_hand ON conversation_messages (role)")
        live = await definitions(connection, LIVE)
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        assert await definitions(connection, SHADOW) < live
        await shadow.finish(connection, SHADOW)
        assert await definitions(connection, SHADOW) == live


async def test_finishing_again_changes_nothing(tables: Any) -> None:
    async with tables.acquire() as connection:
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        await shadow.finish(connection, SHADOW)
        await shadow.finish(connection, SHADOW)
        assert await definitions(connection, SHADOW) == await definitions(connection, LIVE)
