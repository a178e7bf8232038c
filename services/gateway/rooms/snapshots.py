"""Reads from PostgreSQL where the fold of a conversation begins, and the events that it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg

from parley.codec import LogRecord, event_key
from parley.conversation_state import NEW, ConversationStatus
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load
from parley.events import ConversationState
from parley.topics import Topic
from services.gateway.core.room import Snapshot
from services.gateway.settings import GatewaySettings

_SQL: Final = load(__package__)
# The persister's consumer of the events topic.
PERSISTER: Final = "persister"
PAGE: Final = 200
# Wrong settings, or a database that is being made: what is said is kept in the log meanwhile.
_NOT_THERE: Final = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
)


class SnapshotUnavailable(Exception):
    """PostgreSQL cannot tell now, or tells of another incarnation of the topic."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the log had it, and for a request whether it was granted."""

    record: LogRecord
    is_granted: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Stored events in order; below `next_offset` there are no others unless the page is full."""

    events: Sequence[StoredEvent]
    next_offset: int

    @property
    def is_full(self) -> bool:
        """Whether more may follow."""
        return len(self.events) >= PAGE


class Snapshots:
    """The persister's tables, as far as rooms begin there.

    All but `fences` raise SnapshotUnavailable.
    """

    def __init__(self, pool: Pool, settings: GatewaySettings, incarnation: str) -> None:
        self._pool = pool
        self._topic = settings.topic(Topic.EVENTS)
        self._incarnation = incarnation

    async def of(self, tenant_id: str, partitions: Mapping[str, int]) -> dict[str, Snapshot]:
        """The snapshots of conversations, which are named with their partitions."""
        rows = await self._fetch(
            "snapshots",
            tenant_id,
            list(partitions),
            list(partitions.values()),
            PERSISTER,
            self._topic,
        )
        return {row["conversation_id"]: self._snapshot(row) for row in rows}

    async def events_from(
        self, tenant_id: str, conversation_id: str, partition: int, first_offset: int
    ) -> Page:
        """A page of a conversation's events."""
        rows = await self._fetch(
            "events_from",
            tenant_id,
            conversation_id,
            partition,
            first_offset,
            PAGE,
            PERSISTER,
            self._topic,
        )
        if not rows:
            return Page((), 0)
        key = event_key(tenant_id, conversation_id)
        events = [
            self._stored(row, partition, key) for row in rows if row["log_offset"] is not None
        ]
        return Page(events, self._next_offset(rows[0]))

    async def decision(self, tenant_id: str, event_id: str) -> tuple[int, bool] | None:
        """The offset of a request that was stored, and whether it was granted."""
        rows = await self._fetch("decision", tenant_id, event_id)
        return (rows[0]["log_offset"], rows[0]["is_granted"]) if rows else None

    async def fences(self) -> dict[int, int]:
        """By partition the offset that the tables do not hold yet, as far as that is known."""
        try:
            rows = await self._fetch("fences", PERSISTER, self._topic)
        except SnapshotUnavailable:
            return {}
        return {
            row["partition"]: row["next_offset"]
            for row in rows
            if row["incarnation"] == self._incarnation
        }

    def _snapshot(self, row: Any) -> Snapshot:
        next_offset = self._next_offset(row)
        if row["state"] is None:
            return Snapshot(NEW, next_offset)
        state = ConversationState(row["state"])
        status = ConversationStatus(state, tuple(row["state_judged"] or ()))
        return Snapshot(status, next_offset, row["user_id"])

    def _next_offset(self, row: Any) -> int:
        if row["next_offset"] is None:
            return 0
        if row["incarnation"] != self._incarnation:
            raise SnapshotUnavailable("the tables are of another incarnation of the topic")
        return int(row["next_offset"])

    def _stored(self, row: Any, partition: int, key: bytes) -> StoredEvent:
        record = LogRecord(
            self._topic, partition, row["log_offset"], row["append_time"], key, row["value"]
        )
        return StoredEvent(record, bool(row["is_granted"]))

    async def _fetch(self, query: str, *arguments: Any) -> Any:
        try:
            return await self._pool.fetch(_SQL[query], *arguments)
        except Exception as error:
            if not (is_transient(error) or isinstance(error, _NOT_THERE)):
                raise
            raise SnapshotUnavailable(type(error).__name__) from error
