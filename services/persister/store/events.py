"""Writes events into conversations, sessions, messages and their versions."""

from collections.abc import Sequence

from parley.db.pool import Connection
from services.persister.core.events import event_row, fold
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.rows import ReceivedEvent
from services.persister.store.copying import SQL, copy_rows, run, stored_identities


class EventTables:
    """The tables that parley.events.v1 fills."""

    async def write(
        self, connection: Connection, items: Sequence[ReceivedEvent]
    ) -> Judged[ReceivedEvent]:
        """Write what is new within the caller's transaction; conflicts are left to the caller.

        The event's own row decides first whether it is new: nothing else is touched for a copy.
        """
        await run(
            connection,
            "create_event_tables",
            "create_session_table",
            "empty_event_tables",
            "empty_session_table",
        )
        judged = await _insert_events(connection, items)
        await _merge(connection, judged.fresh)
        return judged


async def _insert_events(
    connection: Connection, items: Sequence[ReceivedEvent]
) -> Judged[ReceivedEvent]:
    firsts = first_of_each(items)
    await copy_rows(connection, "incoming_events", [event_row(one) for one in firsts])
    known = await connection.fetch(SQL["insert_events"])
    return judge(items, firsts, await stored_identities(connection, "event_identities", known))


async def _merge(connection: Connection, fresh: Sequence[ReceivedEvent]) -> None:
    rows = fold(fresh)
    await copy_rows(connection, "incoming_conversations", [*rows.conversations.values()])
    await copy_rows(connection, "incoming_sessions", [*rows.sessions.values()])
    await copy_rows(connection, "incoming_messages", rows.messages)
    await copy_rows(connection, "incoming_versions", rows.versions)
    await run(
        connection,
        "merge_conversations",
        "merge_sessions",
        "insert_messages",
        "count_session_messages",
        "inherit_users",
        "insert_versions",
        "keep_originals",
        "show_revisions",
    )
