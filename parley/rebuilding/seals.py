"""Compares what a replay of the events decided with what the topics hold of it already.

Both sides are tables beside the replayed ones, so that memory holds a batch at a time; they can
be brought up to date, which costs no more than what is new.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import orjson

from parley.codec import InvalidRecord, LogRecord, decode_event, decode_seal, event_key
from parley.db.headers import headers_from_json
from parley.db.pool import Pool
from parley.db.sql import load
from parley.events import RecordRejected
from parley.log.admin import topic_ends
from parley.log.ranges import read_ranges
from parley.rebuilding.seal_facts import POSITIONS, facts_of
from parley.seals import Seal, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic, partition_of

SQL: Final = load(__package__, "seals.sql")
ROWS_AT_A_TIME: Final = 2_000


@dataclass(frozen=True, slots=True)
class SealDifference:
    """A decision that the topic and the replay do not share; `kind` says how.

    `columns` are the facts that differ, where both have it.
    """

    kind: str
    tenant_id: str
    conversation_id: str
    subject: str
    revision: int
    columns: str = ""


@dataclass(frozen=True, slots=True)
class Unreplayed:
    """Partitions of the events topic, which has so many, whose log is not whole."""

    partitions: frozenset[int] = frozenset()
    count: int = 1

    def holds(self, tenant_id: str, conversation_id: str) -> bool:
        """Whether a conversation lies in one of them."""
        key = event_key(tenant_id, conversation_id)
        return bool(self.partitions) and partition_of(key, self.count) in self.partitions


class _Decision(NamedTuple):
    """One decision about a segment or a session; of one revision there is one digest."""

    tenant_id: str
    subject: str
    revision: int
    digest: bytes
    conversation_id: str
    incarnation: str
    decided_partition: int
    decided_offset: int
    facts: str


class SealCheck:
    """The seals of a replay beside those of the topic."""

    def __init__(
        self, pool: Pool, settings: Settings, unreplayed: Unreplayed | None = None
    ) -> None:
        self._pool = pool
        self._unreplayed = unreplayed or Unreplayed()
        self._settings = settings
        self._outbox_id = 0
        self._forgotten_count = 0
        self._read: dict[int, int] = {}
        self._letters_read: dict[int, int] = {}

    async def begin(self) -> None:
        """Make the tables that both sides are kept in."""
        await self._pool.execute(SQL["create"])

    async def update(self) -> None:
        """Take in what was decided, and what was published, since the last time."""
        await self._take_decided()
        await self._take_published()
        await self._take_letters()

    async def not_given(
        self, limit: int, *, is_ahead: bool, in_all_facts: bool = False
    ) -> list[SealDifference]:
        """The topic's seals that the replay lacks or has otherwise: by members, or in any fact.

        A replay that is ahead has read all that they came from.
        """
        found = await self._pool.fetch(
            SQL["otherwise"], limit, is_ahead, in_all_facts, list(POSITIONS)
        )
        return [SealDifference(**dict(row)) for row in found]

    async def not_published(self, limit: int) -> list[SealDifference]:
        """The replay's seals that the topic lacks."""
        found = await self._pool.fetch(SQL["unpublished"], limit)
        return [SealDifference(**dict(row)) for row in found]

    async def count(self) -> int:
        """How many decisions of the topic were looked at."""
        left: int = await self._pool.fetchval("SELECT count(*) FROM published")
        return self._forgotten_count + left

    async def settle(self) -> None:
        """Mark and forget what the topic and the replay agree on; to be called once that is enough.

        What is asked afterwards costs no more than what is new by then.
        """
        looked_at = await self.count()
        await self._pool.execute(SQL["analyze"])
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SQL["mark_seals"])
            await connection.execute(SQL["forget_given"])
        await self._pool.execute("ANALYZE published")
        self._forgotten_count += looked_at - await self.count()

    async def mark_published(self, live_schema: str) -> int:
        """Mark the outbox rows whose records the topics hold; returns how many are left.

        A dead letter that the live tables have was published with them, once their outbox is
        empty, although its topic may have forgotten it by now.
        """
        await self._pool.execute(SQL["mark_seals"])
        await self._pool.execute(SQL["mark_letters"].format(live=live_schema))
        left: int = await self._pool.fetchval(SQL["count_unpublished"])
        return left

    async def add_waiting(self, rows: Sequence[Any]) -> None:
        """Count outbox rows as published: they will be, whoever is asked later."""
        await self._save_published([decode_seal(row["value"]) for row in rows])

    async def _take_decided(self) -> None:
        while True:
            rows = await self._pool.fetch(SQL["next_outbox"], self._outbox_id, ROWS_AT_A_TIME)
            if not rows:
                return
            seals = self._settings.topic(Topic.SEALS)
            decided = [
                (*_decision(decode_seal(row["value"])), row["id"])
                for row in rows
                if row["topic"] == seals
            ]
            letters = [(*_origin(row), row["id"]) for row in rows if row["topic"] != seals]
            async with self._pool.acquire() as connection:
                await connection.copy_records_to_table("decided", records=decided)
                await connection.copy_records_to_table("letters", records=letters)
            self._outbox_id = rows[-1]["id"]

    async def _take_published(self) -> None:
        topic = self._settings.topic(Topic.SEALS)
        ranges = await _new_ranges(self._settings, topic, self._read)
        async for records in read_ranges(self._settings, topic, ranges):
            await self._save_published(_seals(records))
        self._read = {number: end for number, (_, end) in ranges.items()}

    async def _take_letters(self) -> None:
        topic = self._settings.topic(Topic.DEAD_LETTERS)
        ranges = await _new_ranges(self._settings, topic, self._letters_read)
        async for records in read_ranges(self._settings, topic, ranges):
            copies = [_source(dict(one.headers)) for one in records]
            known = [one for one in copies if one is not None]
            async with self._pool.acquire() as connection:
                await connection.copy_records_to_table("copies", records=known)
        self._letters_read = {number: end for number, (_, end) in ranges.items()}

    async def _save_published(self, seals: Sequence[Seal]) -> None:
        decisions = [
            _decision(one)
            for one in seals
            if not self._unreplayed.holds(one.tenant_id, one.conversation_id)
        ]
        async with self._pool.acquire() as connection:
            await connection.copy_records_to_table("published", records=decisions)


async def _new_ranges(
    settings: Settings, topic: str, read: dict[int, int]
) -> dict[int, tuple[int, int]]:
    return {
        one.partition: (max(read.get(one.partition, 0), one.beginning), one.end)
        for one in await topic_ends(settings, topic)
    }


def _seals(records: Sequence[LogRecord]) -> list[Seal]:
    seals = []
    for record in records:
        try:
            seals.append(decode_seal(record.value))
        except InvalidRecord:
            # A dead letter of the persister's; nobody decided it.
            continue
    return seals


def _decision(seal: Seal) -> _Decision:
    if isinstance(seal, SegmentSealed):
        subject, revision, digest = seal.segment_id, seal.revision, seal.member_digest
    else:
        subject, revision = f"session {seal.session_id}", seal.generation
        digest = seal.ended_at.isoformat().encode()
    return _Decision(
        seal.tenant_id,
        subject,
        revision,
        digest,
        seal.conversation_id,
        seal.incarnation,
        seal.partition,
        seal.decided_offset,
        orjson.dumps(facts_of(seal)).decode(),
    )


def _origin(row: Any) -> tuple[str, int, int]:
    """Which record an outbox row of the persister's follows from."""
    source = _source(dict(headers_from_json(row["headers"])))
    if source is not None:
        return source
    body = decode_event(
        LogRecord(
            row["topic"], row["partition"], 0, row["created_at"], row["key"], row["value"], ()
        )
    ).body
    assert isinstance(body, RecordRejected)  # noqa: S101 - nothing else goes to the events
    return row["source_topic"], row["source_partition"], body.rejected_offset


def _source(headers: dict[str, bytes]) -> tuple[str, int, int] | None:
    """Which record a dead letter was, by its headers."""
    names = ("parley-source-topic", "parley-source-partition", "parley-source-offset")
    if any(name not in headers for name in names):
        return None
    topic, partition, offset = (headers[name].decode() for name in names)
    return topic, int(partition), int(offset)
