"""Deletes what was said before a moment, in portions, and again where it came again.

Each row goes by its own time, whatever else there is, so the order of reading and deleting does
not matter: tables that are filled anew from the log and then kept to the same moment are equal to
those that were kept to it all along. For that the rows of conversations and sessions stay, without
their titles, metadata and addresses of before.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load

_SQL: Final = load(__package__)
# Each statement is far below the database's time limits, and holds few locks for a moment.
CONVERSATIONS: Final = 100
ROWS: Final = 2_000
RETRY_S: Final = 1.0
MOST_RETRIES: Final = 20

_YEAR_1: Final = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_IN_CONVERSATIONS: Final = (
    "conversation_events",
    "segments",
    "segment_revisions",
    "verdicts",
)
_IN_TENANT: Final = ("message_versions", "preference_events", "dead_letters")

Progress = Callable[[int], None]
"""Told how many rows more are gone."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A tenant of which nothing stays that was said before the cutoff."""

    tenant_id: str
    cutoff: datetime


async def count(pool: Pool, kept: Kept) -> dict[str, int]:
    """How many rows would go now, by table."""
    return dict(await pool.fetchrow(_SQL["count"], kept.tenant_id, kept.cutoff))


async def keep(pool: Pool, kept: Kept, progress: Progress = lambda _: None) -> None:
    """Delete what was said before the cutoff; run again, it goes on where it was.

    The tables are those on the pool's search path. Raises what the database refuses for good.
    """
    for table in _IN_TENANT:
        await _delete(pool, table, (kept.tenant_id, kept.cutoff, ROWS), progress)
    after = ""
    while True:
        rows = await _patiently(
            pool.fetch,
            _SQL["next_conversations"],
            *(kept.tenant_id, kept.cutoff, after, CONVERSATIONS),
        )
        if not rows:
            return
        await _keep_conversations(pool, kept, [row["conversation_id"] for row in rows], progress)
        after = rows[-1]["conversation_id"]


async def keep_answers(pool: Pool, kept: Kept, progress: Progress = lambda _: None) -> None:
    """Delete what models said of it before the cutoff; no replay has tables of its own for that."""
    arguments = (kept.tenant_id, kept.cutoff, ROWS)
    await _delete(pool, "answers", arguments, progress)
    while await _patiently(pool.fetchval, _SQL["clear_raw_answers"], *arguments):
        continue


async def _keep_conversations(
    pool: Pool, kept: Kept, conversation_ids: list[str], progress: Progress
) -> None:
    whose = (kept.tenant_id, kept.cutoff, conversation_ids)
    while gone := await _patiently(_delete_messages, pool, *whose):
        progress(gone)
    for table in _IN_CONVERSATIONS:
        await _delete(pool, table, (*whose, ROWS), progress)
    moment = f"{(kept.cutoff - _YEAR_1) // _MICROSECOND:018d}"
    for query in ("clear_conversations", "clear_sessions"):
        await _patiently(pool.execute, _SQL[query], *whose, moment)


async def _delete_messages(
    pool: Pool, tenant_id: str, cutoff: datetime, conversation_ids: list[str]
) -> int:
    """Delete some messages, and count again what their sessions have left."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_SQL["lock_sessions"], tenant_id, conversation_ids)
        rows = await connection.fetch(
            _SQL["delete_messages"], tenant_id, cutoff, conversation_ids, ROWS
        )
        sessions = [row["session_id"] for row in rows if row["session_id"] is not None]
        await connection.execute(
            _SQL["count_session_messages"], tenant_id, sessions, conversation_ids
        )
    return sum(row["messages"] for row in rows)


async def _delete(pool: Pool, table: str, arguments: tuple[Any, ...], progress: Progress) -> None:
    while True:
        status = await _patiently(pool.execute, _SQL[f"delete_{table}"], *arguments)
        gone = int(status.removeprefix("DELETE "))
        progress(gone)
        if gone < ROWS:
            return


async def _patiently(work: Callable[..., Any], *arguments: Any) -> Any:
    """Do it again while what fails may pass: a lock, a deadlock, a restart."""
    for attempt in range(MOST_RETRIES):
        try:
            return await work(*arguments)
        except Exception as error:
            if not is_transient(error) or attempt == MOST_RETRIES - 1:
                raise
            await asyncio.sleep(RETRY_S)
    return None
