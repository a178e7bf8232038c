"""The inbox: messages that were written with SQL and wait to be published."""

from collections.abc import Sequence
from typing import Final

from parley.db.pool import Connection, Pool
from parley.db.sql import load
from services.persister.core.inbox import InboxRow

_SQL: Final = load(__package__, "inbox.sql")
BATCH_ROWS: Final = 200


async def take_waiting(connection: Connection) -> list[InboxRow]:
    """The oldest rows that wait; none while another process is publishing some.

    They are this transaction's until it ends.
    """
    if not await connection.fetchval(_SQL["take_turn"]):
        return []
    rows = await connection.fetch(_SQL["waiting"], BATCH_ROWS)
    return [InboxRow(*row) for row in rows]


async def mark_published(connection: Connection, ids: Sequence[int]) -> None:
    """Say that these are in the log."""
    await connection.execute(_SQL["mark_published"], ids)


async def mark_refused(connection: Connection, reasons: dict[int, str]) -> None:
    """Say that these can never be, and why, by id."""
    await connection.execute(_SQL["mark_refused"], list(reasons), list(reasons.values()))


async def trim(pool: Pool) -> None:
    """Delete a portion of what was kept long enough."""
    await pool.execute(_SQL["trim_published"])
    await pool.execute(_SQL["trim_refused"])
