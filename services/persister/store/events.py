"""Writes events into conversations, sessions, messages and their versions."""

from collections.abc import Hashable, Sequence
from operator import attrgetter
from typing import Any, Final

from parley.codec import body_digest
from parley.conversation_state import ConversationStatus
from parley.db.pool import Connection
from parley.events import ConversationState
from services.persister.core.events import event_row, fold
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.rows import EventRow, MessageRow, PreferencesRow, Received
from services.persister.core.states import fold_states, key_of, requests_of
from services.persister.store.copying import (
    SQL,
    copy_new_rows,
    copy_rows,
    copy_tuples,
    run,
)

# A message's row begins with what tells of which session it is, and whether it shows that one's
# user: tenant, id, conversation, session, is_user_inherited.
_KEY_WIDTH: Final = 5


class EventTables:
    """The tables that parley.events.v1 fills.

    A replay leaves its sessions' messages uncounted (`are_counted_late`) while their index is
    missing: who makes the index counts them.
    """

    def __init__(self, *, are_counted_late: bool = False) -> None:
        self._are_counted_late = are_counted_late

    async def write(self, connection: Connection, items: Sequence[Received]) -> Judged[Received]:
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
        await self._merge(connection, judged.fresh)
        await _fold_states(connection, items)
        return judged

    async def _merge(self, connection: Connection, fresh: Sequence[Received]) -> None:
        rows = fold(fresh)
        await copy_rows(connection, "incoming_conversations", [*rows.conversations.values()])
        await copy_rows(connection, "incoming_sessions", [*rows.sessions.values()])
        await copy_rows(connection, "incoming_versions", rows.versions)
        await _save_preferences(connection, rows.preferences)
        await run(connection, "merge_conversations", "merge_sessions")
        # A new event's message is new as well.
        messages, columns = rows.messages, MessageRow._fields
        if not await copy_new_rows(connection, "conversation_messages", columns, messages):
            await copy_tuples(connection, "incoming_message_rows", columns, messages)
            await run(connection, "insert_messages")
        keys = [one[:_KEY_WIDTH] for one in messages]
        await copy_tuples(connection, "incoming_messages", columns[:_KEY_WIDTH], keys)
        counting = ["count_session_messages"] if await self._counts(connection) else []
        await run(
            connection,
            *counting,
            "inherit_users",
            "insert_versions",
            "keep_originals",
            "show_revisions",
        )

    async def _counts(self, connection: Connection) -> bool:
        if not self._are_counted_late:
            return True
        has_index: bool = await connection.fetchval(SQL["has_session_index"])
        return has_index


async def _insert_events(connection: Connection, items: Sequence[Received]) -> Judged[Received]:
    # In the order of the locks, and so is what is made of them: messages have the same keys.
    firsts = sorted(first_of_each(items), key=attrgetter("key"))
    rows, columns = [event_row(one) for one in firsts], EventRow._fields
    if await copy_new_rows(connection, "conversation_events", columns, rows):
        return judge(items, firsts, {}, _identity)
    await copy_tuples(connection, "incoming_events", columns, rows)
    status = await connection.execute(SQL["insert_events"])
    are_all_new = status == f"INSERT 0 {len(firsts)}"
    known = {} if are_all_new else await _known_events(connection)
    return judge(items, firsts, known, _identity)


async def _known_events(connection: Connection) -> dict[Any, Hashable]:
    return {
        (tenant_id, event_id): (conversation_id, body_digest(value))
        for tenant_id, event_id, conversation_id, value in await connection.fetch(
            SQL["known_events"]
        )
    }


def _identity(item: Received) -> Hashable:
    """What copies of one event have in common: seldom asked for, so it is not kept."""
    return item.conversation_id, body_digest(item.value)


async def _fold_states(connection: Connection, items: Sequence[Received]) -> None:
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
