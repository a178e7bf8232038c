"""Writes events into conversations, sessions, messages and their versions."""

from collections.abc import Sequence

from parley.conversation_state import ConversationStatus
from parley.db.pool import Connection
from parley.events import ConversationState
from services.persister.core.events import event_row, fold
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.rows import PreferencesRow, ReceivedEvent
from services.persister.core.states import fold_states, key_of, requests_of
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
        await _fold_states(connection, items)
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
    await _save_preferences(connection, rows.preferences)
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


async def _fold_states(connection: Connection, items: Sequence[ReceivedEvent]) -> None:
    """Judge the batch's requests where their conversations stand, in the order of the log."""
    requests = requests_of(items)
    if not requests:
        return
    keys = sorted({key_of(one) for one in requests})
    found = await connection.fetch(SQL["states"], *zip(*keys, strict=True))
    known = {
        (row["tenant_id"], row["conversation_id"]): ConversationStatus(
            ConversationState(row["state"]), tuple(row["state_judged"])
        )
        for row in found
    }
    states, grants = fold_states(requests, known)
    # Arrays of unequal lengths cannot be unnested side by side, so each row goes for itself.
    await connection.executemany(SQL["save_state"], states)
    await connection.execute(SQL["save_grants"], *map(list, zip(*grants, strict=True)))


async def _save_preferences(connection: Connection, rows: Sequence[PreferencesRow]) -> None:
    if rows:
        await connection.execute(SQL["merge_preferences"], *map(list, zip(*rows, strict=True)))
