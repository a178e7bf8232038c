"""What a batch reads of the tables depends on the batch, not on how much was said before."""

import json
from typing import Any

import pytest

from services.persister.store.copying import SQL
from services.persister.store.events import EventTables
from tests.integration.persister.test_any_order import write
from tests.unit.persister.samples import message, received

pytestmark = pytest.mark.integration

SESSIONS = 200
# Of indexes of a few levels and of tables' pages.
MOST_BLOCKS_A_MESSAGE = 10


def talk(number: int, *, user_id: str = "") -> list[Any]:
    """One message in each session; without a user they show their session's."""
    return received(
        [
            message(f"{name} {number}", session_id=name, conversation_id=name, user_id=user_id)
            for name in map(str, range(SESSIONS))
        ]
    )


async def test_messages_that_name_no_user_are_not_looked_through_again(pool: Any) -> None:
    await write(pool, talk(0, user_id="u"))
    for number in range(1, 10):
        await write(pool, talk(number))
    async with pool.acquire() as connection, connection.transaction():
        await EventTables().write(connection, talk(10))
        explain = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {SQL['inherit_users']}"
        (plan,) = json.loads(await connection.fetchval(explain))
    assert plan["Plan"]["Shared Hit Blocks"] < SESSIONS * MOST_BLOCKS_A_MESSAGE
    shown = await pool.fetch(
        "SELECT DISTINCT user_id, is_user_inherited FROM conversation_messages"
    )
    assert {tuple(row) for row in shown} == {("u", False), ("u", True)}
