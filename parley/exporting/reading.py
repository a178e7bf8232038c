"""Reads rows for an export: one snapshot, by a server-side cursor."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from parley.db.pool import CONNECT_TIMEOUT_S, unreachable
from parley.db.sql import load
from parley.exporting.kinds import Kind
from parley.settings import Settings

_SQL: Final = load(__package__)
# Rows that are in memory at a time: each may have a megabyte.
ROWS_A_FETCH: Final = 250
# For this transaction alone: it lasts as long as whoever takes the rows.
_LIMITS: Final = (
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # All rows are wanted, not the first ones soon.
    "SET LOCAL cursor_tuple_fraction = 1.0",
)

Rows = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows: `since` and `until` bound the talk, from the one to before the other.

    Of verdicts `is_current` leaves out what counts no more; of all else there is nothing older.
    """

    tenant_id: str
    since: datetime | None = None
    until: datetime | None = None
    channel: str | None = None
    conversation_id: str | None = None
    is_current: bool = False


async def read(settings: Settings, kind: Kind, selection: Selection) -> AsyncGenerator[Rows, None]:
    """The rows in their order, some at a time, as they stood at the first; raises UserError."""
    connection = await _connect(settings)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for limit in _LIMITS:
                await connection.execute(limit)
            cursor = await connection.cursor(
                _SQL[kind],
                selection.tenant_id,
                selection.since,
                selection.until,
                selection.channel,
                selection.conversation_id,
                *([selection.is_current] if kind is Kind.VERDICTS else []),
            )
            while rows := await cursor.fetch(ROWS_A_FETCH):
                yield [tuple(row) for row in rows]
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT_S)


async def _connect(settings: Settings) -> Any:
    try:
        return await asyncpg.connect(
            settings.database_url.get_secret_value(),
            timeout=CONNECT_TIMEOUT_S,
            server_settings={"application_name": "parley export", "timezone": "UTC"},
        )
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, ValueError) as error:
        raise unreachable(error) from error
