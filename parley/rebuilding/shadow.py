"""A schema beside the live one with the same tables, empty: to be filled by a replay."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from parley.db import rules
from parley.db.pool import Connection
from parley.db.schema import config, metadata
from parley.db.sql import load
from parley.errors import UserError

SQL: Final = load(__package__)
LIVE: Final = "public"
# What a replay fills, those that others refer to first; the operational tables have a schema of
# their own and are not among them, and those of the config topic have no history.
TABLES: Final = tuple(
    table.name
    for table in metadata.sorted_tables
    if table.schema is None and table not in config.TABLES
)
_EVENTS: Final = "conversation_events"
# The large ones: an index that is made of a full table costs a fraction of one that grows with it.
_LATE_TABLES: Final = (
    "conversations",
    "conversation_sessions",
    "conversation_messages",
    _EVENTS,
)
# What a replay itself looks rows up with.
_EARLY_INDEX: Final = "ix_conversation_messages_nameless"
# By then the commit of a row that was written is logged, too: a replay does not wait for that.
SETTLE_AFTER_S: Final = 1.0
# While it is missing a replay does not count the messages of sessions.
_COUNTING_INDEX: Final = "ix_conversation_messages_session"
# Until they are swapped in: a vacuum because of new rows, one after the other while a table grows,
# reads and logs all of it again. What is deleted or updated is vacuumed, and all is analyzed.
_NO_VACUUM: Final = "autovacuum_vacuum_insert_threshold"
_MARK: Final = "made_for"


async def prepare(connection: Connection, schema: str, made_for: str, *, is_anew: bool) -> bool:
    """Have the schema with its tables; returns whether it was there, to be gone on with.

    Most indexes of the large tables are still missing, and so are references: see `finish`.
    One that was made for something else, by another release say, is made anew.
    """
    if not is_anew and await _mark(connection, schema) == made_for:
        return True
    async with connection.transaction():
        await drop(connection, schema)
        await connection.execute(f"CREATE SCHEMA {schema}")
        for statement in await _statements(connection, schema):
            await connection.execute(statement)
        await connection.execute(
            f"CREATE TABLE {schema}.{_MARK} AS SELECT $1::text AS made_for", made_for
        )
    return False


@asynccontextmanager
async def settling(connection: Connection, schema: str) -> AsyncIterator[None]:
    """Read the large tables' rows soon after they were written, while others write on.

    Whoever reads a row first notes on its page that its transaction was committed. The page is
    still in memory then, and new since the last checkpoint. Later, when indexes are made, it would
    be read and written once more, and be logged whole where the server keeps checksums.
    """
    reading = asyncio.create_task(_read_what_is_new(connection, schema))
    try:
        yield
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def _read_what_is_new(connection: Connection, schema: str) -> None:
    read = await _page_counts(connection, schema)
    while True:
        written = await _page_counts(connection, schema)
        # Until these, too, are committed and logged.
        await asyncio.sleep(SETTLE_AFTER_S)
        for table, end in written.items():
            query = SQL["read_pages"].format(table=f"{schema}.{table}")
            await connection.execute(query, f"({read[table]},0)", f"({end},0)")
        read = written


async def _page_counts(connection: Connection, schema: str) -> dict[str, int]:
    return {
        table: await connection.fetchval(SQL["pages"], f"{schema}.{table}")
        for table in _LATE_TABLES
    }


async def finish(connection: Connection, beside: Connection, schema: str) -> None:
    """Add the indexes and references that a replay goes without, where they are missing.

    And the counts: no replay may be within a batch meanwhile. What is to be done with the events,
    which nothing refers to, is done `beside`: both take a while that one processor alone works.
    """
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path = {LIVE}")
        indexes = await connection.fetch(SQL["indexes"], LIVE, list(TABLES), schema)
        references = await connection.fetch(SQL["references"], LIVE, list(TABLES), schema)
    of_events = [row["statement"] for row in indexes if row["table_name"] == _EVENTS]
    others = [row["statement"] for row in indexes if row["table_name"] != _EVENTS]
    others += [row["statement"] for row in references]
    if _COUNTING_INDEX in [row["index_name"] for row in indexes]:
        others.append(SQL["count_session_messages"])
    making = asyncio.create_task(_make(beside, schema, of_events))
    try:
        await _make(connection, schema, others)
        await making
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)


async def _make(connection: Connection, schema: str, statements: Sequence[str]) -> None:
    """All of it or nothing."""
    async with connection.transaction():
        await connection.execute(f"SET LOCAL search_path = {schema}, {LIVE}")
        for statement in statements:
            await connection.execute(statement)


async def set_parameters(connection: Connection, schema: str) -> None:
    """Give the tables the live ones' storage parameters, in place of those of a replay."""
    for table in TABLES:
        await connection.execute(f"ALTER TABLE {schema}.{table} RESET ({_NO_VACUUM})")
    for row in await connection.fetch(SQL["parameters"], LIVE, list(TABLES), schema):
        await connection.execute(row["statement"])


async def drop(connection: Connection, schema: str) -> None:
    """Do away with the schema, if it is there."""
    await connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


async def check_nothing_depends(connection: Connection) -> None:
    """Raises UserError where something of the database would stay with the former tables."""
    rows = await connection.fetch(SQL["dependents"], LIVE, list(TABLES))
    # Parley's own views are made anew by the swap.
    found = [row["name"] for row in rows if row["name"] not in rules.VIEWS]
    if found:
        raise UserError(
            "The tables cannot be swapped, as these would keep the former ones: "
            f"{', '.join(found)}.",
            "Drop them, run `parley rebuild` again, and create them anew afterwards.",
        )


async def _mark(connection: Connection, schema: str) -> str | None:
    if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.{_MARK}") is None:
        return None
    mark: str = await connection.fetchval(f"SELECT made_for FROM {schema}.{_MARK}")  # noqa: S608
    return mark


async def _statements(connection: Connection, schema: str) -> list[str]:
    """What makes the same tables, from the catalogue: also what an operator has changed there.

    Definitions name tables without a schema where they are on the search path, so the same text
    makes the same in another schema.
    """
    await connection.execute(f"SET LOCAL search_path = {LIVE}")
    statements = [f"SET LOCAL search_path = {schema}, {LIVE}"]
    statements += [_create(schema, table) for table in TABLES]
    for query in ("owners", "constraints"):
        rows = await connection.fetch(SQL[query], LIVE, list(TABLES))
        statements += [row["statement"] for row in rows]
    statements += [f"ALTER TABLE {table} SET ({_NO_VACUUM} = -1)" for table in TABLES]
    indexes = await connection.fetch(SQL["indexes"], LIVE, list(TABLES), schema)
    statements += [row["statement"] for row in indexes if not _comes_late(row)]
    for query in ("triggers", "comments", "policies", "security", "grants"):
        rows = await connection.fetch(SQL[query], LIVE, list(TABLES))
        statements += [row["statement"] for row in rows]
    return statements


def _comes_late(index: Any) -> bool:
    is_of_use = index["is_unique"] or index["index_name"] == _EARLY_INDEX
    return index["table_name"] in _LATE_TABLES and not is_of_use


def _create(schema: str, table: str) -> str:
    parts = ("DEFAULTS", "GENERATED", "IDENTITY", "STORAGE", "STATISTICS", "COMPRESSION")
    including = " ".join(f"INCLUDING {part}" for part in parts)
    return f"CREATE TABLE {schema}.{table} (LIKE {LIVE}.{table} {including})"


def qualified(schema: str, *tables: str) -> str:
    """The tables' names with their schema, for a statement."""
    return ", ".join(f"{schema}.{table}" for table in tables)
