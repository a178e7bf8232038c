"""Brings rows to PostgreSQL by COPY: into their tables, or into temporary ones to be merged."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple, TypeVar

from parley.db import copying
from parley.db.pool import Connection
from parley.db.sql import load

SQL: Final = load(__package__)

Row = TypeVar("Row", bound=NamedTuple)

# Of a plain tuple the driver takes a value at half of what it costs of a named one.
_plain: Final = itemgetter(slice(None))


class NotEncodable(Exception):
    """A value that PostgreSQL's protocol cannot carry: the table would not take it either."""


async def copy_rows(connection: Connection, table: str, rows: Sequence[NamedTuple]) -> None:
    """COPY rows of one kind into the table whose columns are named as their fields.

    Raises NotEncodable, besides what the database answers.
    """
    if not rows:
        return
    columns: Sequence[str] = rows[0]._fields
    try:
        await connection.copy_records_to_table(table, records=map(_plain, rows), columns=columns)
    except (OverflowError, ValueError) as error:
        raise NotEncodable(type(error).__name__) from error


async def copy_new_rows(connection: Connection, table: str, rows: Sequence[NamedTuple]) -> bool:
    """COPY rows straight into the table where they stay; see parley.db.copying.

    Raises NotEncodable, besides what the database answers.
    """
    if not rows:
        return True
    try:
        plain = list(map(_plain, in_order(rows)))
        return await copying.copy_new_rows(connection, table, plain, rows[0]._fields)
    except (OverflowError, ValueError) as error:
        raise NotEncodable(type(error).__name__) from error


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Rows by their key, a tenant and an id with which they begin: in the order of the locks."""
    return sorted(rows, key=itemgetter(0, 1))


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
