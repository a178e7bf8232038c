"""Tables beside the live ones are the same tables, once they are finished."""

from typing import Any

import pytest

from parley.rebuilding import shadow
from tests.support.tables import definitions

pytestmark = pytest.mark.integration

SHADOW = "parley_rebuild"


async def test_what_a_replay_goes_without_is_added_at_the_end(tables: Any) -> None:
    async with tables.acquire() as connection:
        await connection.execute("CREATE INDEX by_hand ON conversation_messages (role)")
        live = await definitions(connection)
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        assert await definitions(connection, SHADOW) < live
        await shadow.finish(connection, SHADOW)
        assert await definitions(connection, SHADOW) == live


async def test_finishing_again_changes_nothing(tables: Any) -> None:
    async with tables.acquire() as connection:
        await shadow.prepare(connection, SHADOW, "this test", is_anew=True)
        await shadow.finish(connection, SHADOW)
        await shadow.finish(connection, SHADOW)
        assert await definitions(connection, SHADOW) == await definitions(connection)
