"""COPY in the binary format, and straight into the table where rows stay."""

from collections.abc import AsyncIterator, Iterable, Sequence
from itertools import islice
from typing import Any, Final

import asyncpg

from parley.db.pool import Connection
from parley.db.sql import load

try:
    from parley.codec.speedups import rows_to_copy
except ImportError:
    rows_to_copy = None  # type: ignore[assignment]

_SQL: Final = load(__package__)
# Of the binary format: its signature, no flags, no extension; and at the end no more rows.
_HEAD: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END: Final = b"\xff\xff"
_ROWS_AT_ONCE: Final = 1_000

# Types of columns, by table and names. No migration changes one, and all schemas have the same.
_types: Final[dict[tuple[str, tuple[str, ...]], tuple[str, ...]]] = {}


async def copy_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """COPY rows into these columns of the table.

    It does what the driver's copy_records_to_table does, which it takes where no compiler was, at a
    fraction of the cost. Ids are texts. Raises TypeError, ValueError or OverflowError for a value
    that its column's type cannot carry, besides what the database answers.
    """
    if rows_to_copy is None:
        await connection.copy_records_to_table(table, records=rows, columns=columns)
        return
    types = await _types_of(connection, table, tuple(columns))
    await connection.copy_to_table(
        table, source=_written(types, rows), columns=columns, format="binary"
    )


async def copy_new_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> bool:
    """COPY rows whose keys are new, within the caller's transaction.

    False, and nothing is written, where one of their keys is there already, which is seldom, or
    where the table shows this login only some rows: PostgreSQL then refuses every COPY. Raises what
    `copy_rows` raises.
    """
    if await connection.fetchval(_SQL["is_row_security_active"], table):
        return False
    try:
        # Within a transaction this is a savepoint.
        async with connection.transaction():
            await copy_rows(connection, table, columns, rows)
    except asyncpg.UniqueViolationError:
        return False
    return True


async def _types_of(
    connection: Connection, table: str, columns: tuple[str, ...]
) -> tuple[str, ...]:
    known = _types.get((table, columns))
    if known is None:
        names = ", ".join(f'"{column}"' for column in columns)
        statement = await connection.prepare(f'SELECT {names} FROM "{table}"')  # noqa: S608 - ours
        known = tuple(one.type.name for one in statement.get_attributes())
        _types[table, columns] = known
    return known


async def _written(types: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> AsyncIterator[bytes]:
    yield _HEAD
    remaining = iter(rows)
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        yield rows_to_copy(types, some)
    yield _END
