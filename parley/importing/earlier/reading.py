"""Reads an earlier tracker's tables: one snapshot, by server-side cursors, without a write."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

from parley.db.pool import CONNECT_TIMEOUT_S, Connection
from parley.db.sql import load
from parley.errors import UserError
from parley.importing.earlier.layout import MESSAGES, SESSIONS, Layout, Types, layout_of
from parley.importing.prepared import PROGRESS_EVERY

_SQL: Final = load(__package__)
_ROWS_A_FETCH: Final = 500
# For this transaction alone, which may last for hours, and reads everything once.
_LIMITS: Final = (
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # Rows come in the order in which they lie, whoever else reads them.
    "SET LOCAL synchronize_seqscans = off",
)
_MICROSECONDS: Final = (
    "CASE WHEN isfinite({0}::timestamptz) "
    "THEN (extract(epoch FROM {0}::timestamptz) * 1000000)::bigint END"
)
# How the columns are read that are not read as texts.
_READ_AS: Final = {
    "start": _MICROSECONDS,
    "end": _MICROSECONDS,
    "time": _MICROSECONDS,
    "duration": "{0}::float8",
    "is_active": "{0}::boolean",
}


class EarlierTables:
    """The two tables of one database, in one snapshot."""

    def __init__(self, connection: Connection, schema: str | None, layout: Layout) -> None:
        self.layout = layout
        self._connection = connection
        self._schema = schema

    async def row_count(self) -> int:
        """How many rows there are to read."""
        count = 0
        for table in (SESSIONS, MESSAGES):
            # The names are quoted, and come from the catalogue or the command line.
            query = f"SELECT count(*) FROM {self._name(table)}"  # noqa: S608
            count += await self._connection.fetchval(query)
        return count

    async def read(
        self,
        session: Callable[[Mapping[str, Any]], None],
        message: Callable[[Mapping[str, Any]], None],
        progress: Callable[[int], None],
    ) -> None:
        """Hand over every row, by purposes; `progress` is told the rows so far."""
        count = 0
        for table, columns, take in (
            (SESSIONS, self.layout.sessions, session),
            (MESSAGES, self.layout.messages, message),
        ):
            async for row in self._rows(table, columns):
                take(row)
                count += 1
                if count % PROGRESS_EVERY == 0:
                    progress(count)
        progress(count)

    async def _rows(
        self, table: str, columns: Mapping[str, str]
    ) -> AsyncIterator[Mapping[str, Any]]:
        wanted = ", ".join(
            f"{self._read_as(table, purpose).format(_quoted(column))} AS {_quoted(purpose)}"
            for purpose, column in columns.items()
        )
        query = f"SELECT {wanted} FROM {self._name(table)}"  # noqa: S608
        async for row in self._connection.cursor(query, prefetch=_ROWS_A_FETCH):
            yield dict(row)

    def _read_as(self, table: str, purpose: str) -> str:
        if f"{table}.{purpose}" in self.layout.text_times:
            return "{0}::text"
        return _READ_AS.get(purpose, "{0}::text")

    def _name(self, table: str) -> str:
        return f"{_quoted(self._schema)}.{table}" if self._schema else table


@asynccontextmanager
async def open_tables(url: str, schema: str | None) -> AsyncIterator[EarlierTables]:
    """Connect and look at the tables; raises UserError without any part of the URL's password."""
    connection = await _connect(url)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for limit in _LIMITS:
                await connection.execute(limit)
            yield EarlierTables(connection, schema, await _layout(connection, schema))
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def _connect(url: str) -> Connection:
    where = server_of(url)
    try:
        return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, statement_cache_size=0)
    except ValueError:
        # Its words may hold parts of the URL.
        raise _not_a_url() from None
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        problem = f"Cannot read the database at {where}: {error or type(error).__name__}."
        raise UserError(problem, "Correct the URL, or the rights of its user.") from error


def server_of(url: str) -> str:
    """The server and the database of a URL, without who connects; raises UserError."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _not_a_url() from None
    if parts.scheme not in ("postgresql", "postgres"):
        raise _not_a_url()
    host = parts.hostname or "the local socket"
    return f"{host}{f':{port}' if port else ''}{parts.path}"


def _not_a_url() -> UserError:
    return UserError(
        "The URL is not understood.",
        "Write postgresql://user:password@host:port/name; in the password, write / as %2F, "
        "@ as %40, : as %3A and # as %23.",
    )


async def _layout(connection: Connection, schema: str | None) -> Layout:
    sessions = await _columns(connection, schema, SESSIONS)
    messages = await _columns(connection, schema, MESSAGES)
    referenced = await connection.fetchval(_SQL["find_referenced"], schema, MESSAGES, SESSIONS)
    return layout_of(sessions, messages, referenced)


async def _columns(connection: Connection, schema: str | None, table: str) -> Types:
    rows = await connection.fetch(_SQL["find_columns"], schema, table)
    if not rows:
        where = f"schema {schema}" if schema else "the user's search path"
        raise UserError(
            f"There is no table {table} in {where}.", "Name the schema it is in with --schema."
        )
    return {row["name"]: row["type"] for row in rows}


def _quoted(name: str | None) -> str:
    return '"' + (name or "").replace('"', '""') + '"'
