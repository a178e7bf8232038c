"""What the persister's tables hold, without what may differ between two readings of one log."""

import json
from dataclasses import dataclass
from typing import Any, Final

from parley.settings import Settings
from parley.topics import Topic

# Where a record lies and when it was read are not facts of the conversation; the bytes and the
# rows name the tenant, by which two readings are told apart here. The state is the fold of one
# order, and so no fact of the events alone.
_ASIDE: Final = [
    "tenant_id",
    "value",
    "created_at",
    "incarnation",
    "partition",
    "log_offset",
    "append_time",
    "state",
    "state_judged",
    "state_incarnation",
    "state_offset",
    "is_granted",
]
VIEWS: Final = (
    "conversations",
    "conversation_sessions",
    "conversation_messages",
    "message_versions",
    "conversation_events",
    "user_preferences",
)


async def view(pool: Any, tenant_id: str) -> dict[str, list[dict[str, Any]]]:
    """The rows of a tenant by table."""
    return {table: await rows_of(pool, table, tenant_id) for table in VIEWS}


async def rows_of(pool: Any, table: str, tenant_id: str) -> list[dict[str, Any]]:
    query = (
        f"SELECT (to_jsonb(t) - $2::text[])::text AS row FROM {table} t "  # noqa: S608
        "WHERE tenant_id = $1 ORDER BY row"
    )
    return [json.loads(row["row"]) for row in await pool.fetch(query, tenant_id, _ASIDE)]


@dataclass(frozen=True, slots=True)
class Ledger:
    """What became of all records of a topic, and how many were read."""

    stored: int
    duplicate: int
    dead_lettered: int
    not_for_table: int
    consumed: int

    @property
    def residue(self) -> int:
        """Records that nobody accounts for."""
        counted = self.stored + self.duplicate + self.dead_lettered + self.not_for_table
        return self.consumed - counted


async def ledger(pool: Any, settings: Settings, topic: Topic) -> Ledger:
    """The sums over the topic's partitions."""
    row = await pool.fetchrow(
        """
        SELECT coalesce(sum(stored), 0)::bigint, coalesce(sum(duplicate), 0)::bigint,
               coalesce(sum(dead_lettered), 0)::bigint, coalesce(sum(not_for_table), 0)::bigint,
               (SELECT coalesce(sum(next_offset), 0)::bigint FROM fences
                 WHERE topic = $1 AND consumer LIKE 'persister%')
          FROM ledger WHERE topic = $1
        """,
        settings.topic(topic),
    )
    return Ledger(*row)
