"""Reads conversations from PostgreSQL; with PostgreSQL away only reading stops."""

import asyncio
import json
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

import asyncpg
import structlog

from parley import clock
from parley.activity import figures
from parley.activity.reading import read_activity
from parley.db.errors import is_transient
from parley.db.pool import Pool
from parley.db.sql import load
from parley.passes.stored import stored_catalog
from parley.position import Position
from parley.results import reading as results
from parley.results.coverage import Period, coverage_arguments
from parley.topics import Topic
from services.gateway.backfills import Backfills
from services.gateway.settings import GatewaySettings

log = structlog.get_logger(__name__)

_SQL: Final = load(__package__)
# The persister's fence on the events topic.
PERSISTER: Final = "persister"
POLL_S: Final = 0.02
NEWEST: Final = 50
MOST_REVISIONS: Final = 200
# A search reads what was said, so it may not go on for as long as other statements.
SEARCH_TIMEOUT_S: Final = 5.0
COVERAGE_TIMEOUT_S: Final = 10.0

Row = Mapping[str, Any]
Result = TypeVar("Result")


class StoreUnavailable(Exception):
    """PostgreSQL cannot be read now."""


class StoreBehind(Exception):
    """The persister has not stored yet what the reader has written."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a conversation's order: behind the message of this time and id."""

    event_time: datetime = datetime(1, 1, 1, tzinfo=UTC)
    event_id: str = "00000000-0000-0000-0000-000000000000"


@dataclass(frozen=True, slots=True)
class Activity:
    """A place in the list of conversations: behind the one of this last event and id."""

    last_event_at: datetime
    conversation_id: str


@dataclass(frozen=True, slots=True)
class Search:
    """Which conversations are wanted; None leaves it open. `text` is looked for as it is."""

    user_id: str | None = None
    state: str | None = None
    active_since: datetime | None = None
    active_before: datetime | None = None
    is_active: bool | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one pass said of a segment."""

    pass_name: str
    pass_version: int
    output: Any


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment as it stands, with its verdicts."""

    row: Row
    verdicts: Sequence[Verdict]


@dataclass(frozen=True, slots=True)
class WholeSegment:
    """A segment with its latest revisions and its newest verdicts, current and former."""

    row: Row
    revisions: Sequence[Row]
    verdicts: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Overview:
    """A conversation with its newest sessions and segments."""

    conversation: Row
    sessions: Sequence[Row]
    segments: Sequence[Segment]


class Store:
    """The tables that the persister fills; who reads names the tenant."""

    def __init__(self, pool: Pool, settings: GatewaySettings) -> None:
        self._pool = pool
        self._topic = settings.topic(Topic.EVENTS)
        self.backfills = Backfills(pool, self._unless_away)

    async def check(self) -> None:
        """Raises StoreUnavailable when PostgreSQL does not answer."""
        await self._fetch_text("SELECT 1")

    async def conversations(
        self, tenant_id: str, search: Search, after: Activity | None, limit: int
    ) -> list[Row]:
        """Up to `limit` conversations, the one that was last active first.

        Raises StoreUnavailable, also where a search for a text takes too long.
        """
        return await self._fetch(
            "conversations",
            tenant_id,
            search.user_id,
            search.state,
            search.active_since,
            search.active_before,
            search.is_active,
            None if search.text is None else _pattern(search.text),
            after and after.last_event_at,
            after and after.conversation_id,
            limit,
            timeout_s=SEARCH_TIMEOUT_S,
        )

    async def overview(self, tenant_id: str, conversation_id: str) -> Overview | None:
        """A conversation; None where it is unknown. Raises StoreUnavailable."""
        found = await self._fetch("conversation", tenant_id, conversation_id)
        if not found:
            return None
        sessions = await self._fetch("sessions", tenant_id, conversation_id, NEWEST)
        return Overview(found[0], sessions, await self._segments(tenant_id, conversation_id))

    async def segment(self, tenant_id: str, segment_id: str) -> WholeSegment | None:
        """A segment, retracted ones too; None where it is unknown. Raises StoreUnavailable."""
        found = await self._fetch_text(results.SQL["segment"], tenant_id, segment_id)
        if not found:
            return None
        revisions = await self._fetch_text(
            results.SQL["revisions"], tenant_id, segment_id, MOST_REVISIONS
        )
        current, former = [
            await self.verdicts(
                results.Wanted(tenant_id, segment_id=segment_id, is_current=is_current), NEWEST
            )
            for is_current in (True, False)
        ]
        return WholeSegment(found[0], revisions, [*current, *former])

    async def verdicts(
        self, wanted: results.Wanted, limit: int, after: results.Behind | None = None
    ) -> list[Row]:
        """Up to `limit` verdicts, the newest first; raises StoreUnavailable."""
        arguments = results.verdict_arguments(wanted, limit, after)
        return await self._fetch_text(results.SQL["verdicts"], *arguments)

    async def coverage(self, tenant_id: str, period: Period, pass_name: str | None) -> list[Row]:
        """How far the passes have come; raises StoreUnavailable, also where that takes too long."""
        catalog = await self._unless_away(stored_catalog(self._pool))
        arguments = coverage_arguments(catalog, [tenant_id], period, pass_name)
        return await self._fetch_text(
            results.SQL["coverage"], *arguments, timeout_s=COVERAGE_TIMEOUT_S
        )

    async def messages(
        self, tenant_id: str, conversation_id: str, after: Place, limit: int
    ) -> list[Row]:
        """Up to `limit` messages in order; raises StoreUnavailable."""
        return await self._fetch(
            "messages", tenant_id, conversation_id, after.event_time, after.event_id, limit
        )

    async def requests(self, tenant_id: str, conversation_id: str, limit: int) -> list[Row]:
        """The first `limit` requests for another state, in the order of the log."""
        return await self._fetch("requests", tenant_id, conversation_id, limit)

    async def places(self, tenant_id: str, event_ids: Sequence[str]) -> dict[str, Position]:
        """Where these events lie, as far as they are stored; raises StoreUnavailable."""
        rows = await self._fetch("places", tenant_id, event_ids)
        return {
            str(row["event_id"]): Position(row["incarnation"], row["partition"], row["log_offset"])
            for row in rows
        }

    async def preferences(self, tenant_id: str, user_id: str) -> Row | None:
        """What a user prefers; None where nobody said it. Raises StoreUnavailable."""
        rows = await self._fetch("preferences", tenant_id, user_id)
        return rows[0] if rows else None

    async def activity(self, tenant_id: str) -> figures.Activity:
        """What is said now, as far as anybody counts it; raises StoreUnavailable."""
        return await self._unless_away(read_activity(self._pool, tenant_id))

    async def manner(self, tenant_id: str, conversation_id: str, user_id: str) -> Row:
        """The conversation's personality or the user's, and the user's language."""
        return (await self._fetch("manner", tenant_id, conversation_id, user_id))[0]

    async def newest_messages(self, tenant_id: str, conversation_id: str, limit: int) -> list[Row]:
        """Up to `limit` of the newest messages, in order; raises StoreUnavailable."""
        newest = await self._fetch("newest_messages", tenant_id, conversation_id, limit)
        return newest[::-1]

    async def wait_until_stored(self, position: Position, patience_s: float) -> None:
        """Return once the tables hold what lies at the position.

        Raises StoreBehind after that many seconds, and StoreUnavailable.
        """
        deadline = clock.monotonic() + patience_s
        while not await self._has_stored(position):
            if clock.monotonic() >= deadline:
                raise StoreBehind
            await asyncio.sleep(POLL_S)

    async def _has_stored(self, position: Position) -> bool:
        rows = await self._fetch(
            "has_stored",
            PERSISTER,
            self._topic,
            position.partition,
            position.incarnation,
            position.offset,
        )
        return bool(rows and rows[0]["has_passed"])

    async def _segments(self, tenant_id: str, conversation_id: str) -> list[Segment]:
        rows = await self._fetch("segments", tenant_id, conversation_id, NEWEST)
        ids = [row["segment_id"] for row in rows]
        revisions = [row["revision"] for row in rows]
        verdicts: dict[Any, list[Verdict]] = {}
        for row in await self._fetch("verdicts", tenant_id, ids, revisions):
            verdict = Verdict(row["pass_name"], row["pass_version"], json.loads(row["output"]))
            verdicts.setdefault(row["segment_id"], []).append(verdict)
        return [Segment(row, verdicts.get(row["segment_id"], [])) for row in rows]

    async def _fetch(
        self, query: str, *arguments: Any, timeout_s: float | None = None
    ) -> list[Row]:
        return await self._fetch_text(_SQL[query], *arguments, timeout_s=timeout_s)

    async def _fetch_text(
        self, text: str, *arguments: Any, timeout_s: float | None = None
    ) -> list[Row]:
        rows: list[Row] = await self._unless_away(
            self._pool.fetch(text, *arguments, timeout=timeout_s)
        )
        return rows

    async def _unless_away(self, reading: Awaitable[Result]) -> Result:
        try:
            return await reading
        except Exception as error:
            if not (is_transient(error) or _is_refused(error)):
                raise
            log.warning("store_unavailable", error=type(error).__name__)
            raise StoreUnavailable from error


def _pattern(text: str) -> str:
    """What ILIKE finds the text by, wherever it stands; its own wildcards are let be."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _is_refused(error: Exception) -> bool:
    """A wrong user, password or database: wrong settings, or a database that is being made."""
    return isinstance(
        error,
        asyncpg.InvalidAuthorizationSpecificationError | asyncpg.InvalidCatalogNameError,
    )
