"""Brings rows to PostgreSQL by COPY: into their tables, or into temporary ones to be merged."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from parley.db import copying
from parley.db.pool import Connection
from parley.db.sql import load

SQL: Final = load(__package__)


class NotEncodable(Exception):
    """A value that PostgreSQL's protocol cannot carry: the table would not take it either."""


async def copy_rows(connection: Connection, table: str, rows: Sequence[NamedTuple]) -> None:
    """COPY rows of one kind into the table whose columns are named as their fields.

    Raises NotEncodable, besides what the database answers.
    """
    if not rows:
        return
    await copy_tuples(connection, table, rows[0]._fields, rows)


async def copy_tuples(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """COPY rows into these columns of the table.

    Raises NotEncodable, besides what the database answers.
    """
    if not rows:
        return
    try:
        await copying.copy_rows(connection, table, columns, rows)
    except (OverflowError, ValueError) as error:
        raise NotEncodable(type(error).__name__) from error


async def copy_new_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> bool:
    """COPY rows straight into the table where they stay; see parley.db.copying.

    Where two may write the same keys at once, rows come in their order: that of the locks. Raises
    NotEncodable, besides what the database answers.
    """
    if not rows:
        return True
    try:
        return await copying.copy_new_rows(connection, table, columns, rows)
    except (OverflowError, ValueError) as error:
        raise NotEncodable(type(error).__name__) from error


async def run(connection: Connection, *names: str) -> None:
    """Run queries that take no arguments, in order, in one round trip.

    They are planned anew each time: a plan that was kept from when a table was small would read
    all of it for ever.
    """
    await connection.execute(";\n".join(SQL[name] for name in names))


async def stored_identities(
    connection: Connection, query: str, known: Sequence[Any]
) -> dict[Any, Any]:
    """The identities of rows by key; the query selects the key's columns, then the identity's."""
    if not known:
        return {}
    width = len(known[0])
    columns = [[row[index] for row in known] for index in range(width)]
    rows = await connection.fetch(SQL[query], *columns)
    return {tuple(row)[:width]: tuple(row)[width:] for row in rows}
