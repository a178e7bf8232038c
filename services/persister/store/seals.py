"""Writes seals into segments and their revisions, and settled sessions into the sessions."""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any

from parley.db.pool import Connection
from services.persister.core.events import SessionKey
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.rows import SessionRow
from services.persister.core.segments import (
    ReceivedSeal,
    ReceivedSegment,
    ReceivedSettlement,
    RevisionRow,
    current_segments,
    revision_row,
)
from services.persister.core.sessions import merge_sessions, settled_session
from services.persister.store.copying import (
    SQL,
    copy_new_rows,
    copy_rows,
    copy_tuples,
    run,
    stored_identities,
)


class SealTables:
    """The tables that parley.seals.v1 fills."""

    async def write(
        self, connection: Connection, items: Sequence[ReceivedSeal]
    ) -> Judged[ReceivedSeal]:
        """Write what is new within the caller's transaction; conflicts are left to the caller.

        A settled session leaves no row of its own: it is merged, repeated or not.
        """
        await run(
            connection,
            "create_segment_tables",
            "create_session_table",
            "empty_segment_tables",
            "empty_session_table",
        )
        firsts = first_of_each(items)
        # The sessions first, in the order of the locks.
        await copy_rows(connection, "incoming_sessions", _sessions(firsts))
        await run(connection, "merge_sessions")
        segments = [one for one in firsts if isinstance(one, ReceivedSegment)]
        identities = await _insert_revisions(connection, segments)
        judged = judge(items, firsts, identities, attrgetter("identity"))
        sealed = [one.sealed for one in judged.fresh if isinstance(one, ReceivedSegment)]
        await copy_rows(connection, "incoming_segments", current_segments(sealed))
        await run(connection, "merge_segments")
        return judged


async def _insert_revisions(
    connection: Connection, segments: Sequence[ReceivedSegment]
) -> dict[Any, Any]:
    """Insert the decisions that are new; what is stored of the others, by key."""
    rows = [revision_row(one) for one in sorted(segments, key=attrgetter("key"))]
    if await copy_new_rows(connection, "segment_revisions", RevisionRow._fields, rows):
        return {}
    await copy_tuples(connection, "incoming_revisions", RevisionRow._fields, rows)
    known = await connection.fetch(SQL["insert_revisions"])
    return await stored_identities(connection, "revision_identities", known)


def _sessions(firsts: Iterable[ReceivedSeal]) -> list[SessionRow]:
    rows: dict[SessionKey, SessionRow] = {}
    for one in firsts:
        if isinstance(one, ReceivedSettlement):
            row = settled_session(one.settled)
            other = rows.get(row[:3])
            rows[row[:3]] = row if other is None else merge_sessions(other, row)
    return list(rows.values())
