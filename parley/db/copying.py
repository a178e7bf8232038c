"""COPY straight into the table where rows stay, which spares a temporary one."""

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from parley.db.pool import Connection
from parley.db.sql import load

_SQL: Final = load(__package__)


async def copy_new_rows(
    connection: Connection,
    table: str,
    rows: Sequence[Sequence[Any]],
    columns: Sequence[str] | None = None,
) -> bool:
    """COPY rows whose keys are new, within the caller's transaction; all columns by default.

    False, and nothing is written, where one of their keys is there already, which is seldom, or
    where the table shows this login only some rows: PostgreSQL then refuses every COPY.
    """
    if await connection.fetchval(_SQL["is_row_security_active"], table):
        return False
    try:
        # Within a transaction this is a savepoint.
        async with connection.transaction():
            await connection.copy_records_to_table(table, records=rows, columns=columns)
    except asyncpg.UniqueViolationError:
        return False
    return True
