"""PostgreSQL's side: what the tables have read of a topic, and the one transaction that moves on.

The log's copy carries where each record lay first, so rows and seals keep their meaning and none of
them is touched: only the fences, the ledger, the sealer's times and where its open rows are found.
A crash before the COMMIT leaves the former topic in its place, one after it the successor.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import asyncpg

from parley.codec import event_key
from parley.db.fence import Tail
from parley.db.pool import Connection
from parley.db.sql import load
from parley.errors import UserError
from parley.incarnations.plan import BEGINNING
from parley.settings import Settings
from parley.topics import partition_of
from parley.wire import events_pb2

SQL: Final = load(__package__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a consumer's tables have read a partition."""

    consumer: str
    partition: int
    incarnation: str
    next_offset: int
    tail: Tail | None


@dataclass(frozen=True, slots=True)
class Move:
    """What the transaction does; `minutes` counts what was copied below the fences, by partition
    and by the minute in which the broker appended it.
    """

    source: str
    topic: str
    incarnation: str
    partitions: int
    stays: bool
    before: Sequence[Standing]
    after: Sequence[Standing]
    minutes: "Mapping[tuple[int, datetime], int]"
    watermarks: Sequence[datetime]
    moved: "Mapping[int, Moved]"


@dataclass(frozen=True, slots=True)
class Moved:
    """Where the records of a partition lie now, in a copy with as many partitions.

    Below `kept` nothing has moved; `lost` are pairs of an offset and the new one, up to `end`.
    """

    kept: int
    lost: Sequence[tuple[int, int]]
    end: int

    def offset(self, before: int) -> int:
        """The first offset of what did not lie below `before`."""
        if before <= self.kept:
            return before
        index = bisect_left(self.lost, (before, 0))
        return self.lost[index][1] if index < len(self.lost) else self.end


async def connect(settings: Settings) -> Connection:
    """A connection without time limits: these statements may read whole tables."""
    return await asyncpg.connect(
        settings.database_url.get_secret_value(),
        timeout=10,
        server_settings={"application_name": "parley-topics", "timezone": "UTC"},
    )


async def standings(connection: Connection, topic: str, query: str = "fences") -> list[Standing]:
    """Who reads the topic, and where each stands."""
    return [_standing(row) for row in await connection.fetch(SQL[query], topic)]


def _standing(row: Any) -> Standing:
    tail = None
    if row["last_append_time"] is not None:
        tail = Tail(row["last_append_time"], row["last_checksum"])
    return Standing(row["consumer"], row["partition"], row["incarnation"], row["next_offset"], tail)


async def switch(connection: Connection, move: Move) -> None:
    """Let the tables go on with the successor; raises UserError where somebody moved meanwhile."""
    async with connection.transaction():
        found = await standings(connection, move.source, "lock_fences")
        if found != list(move.before):
            raise UserError(
                f"A service has read on in {move.source} while it was copied.",
                "Run the command again: it goes on with what is copied.",
            )
        await connection.execute(SQL["delete_fences"], move.source)
        await _insert_fences(connection, move)
        await _insert_ledger(connection, move)
        if move.stays:
            await connection.execute(SQL["rename_watermarks"], move.source, move.topic)
        elif move.watermarks:
            await _place_sealer(connection, move)
        await _move_rejections(connection, move)
        await connection.execute(SQL["rename_outbox"], move.source, move.topic)
        await connection.execute(SQL["rename_destination"], move.source, move.topic)


async def _insert_fences(connection: Connection, move: Move) -> None:
    await connection.execute(
        SQL["insert_fences"],
        move.topic,
        move.incarnation,
        [one.consumer for one in move.after],
        [one.partition for one in move.after],
        [one.next_offset for one in move.after],
        [one.tail.append_time if one.tail else None for one in move.after],
        [one.tail.checksum if one.tail else None for one in move.after],
    )


async def _insert_ledger(connection: Connection, move: Move) -> None:
    names = (move.topic, move.incarnation, move.source)
    await connection.execute(
        SQL["insert_ledger_minutes"],
        *names,
        [partition for partition, _ in move.minutes],
        [minute for _, minute in move.minutes],
        list(move.minutes.values()),
    )
    await connection.execute(
        SQL["insert_ledger"],
        *names,
        [one.consumer for one in move.after],
        [one.partition for one in move.after],
        [one.next_offset for one in move.after],
    )


async def _place_sealer(connection: Connection, move: Move) -> None:
    """The sealer's times are the copies'; what is open is found by its conversation's key."""
    rule_version = await connection.fetchval(SQL["rule_version"], move.source) or 1
    await connection.execute(SQL["delete_watermarks"], move.source)
    known = [(n, mark) for n, mark in enumerate(move.watermarks) if mark != BEGINNING]
    await connection.execute(
        SQL["insert_watermarks"],
        move.topic,
        rule_version,
        [partition for partition, _ in known],
        [mark for _, mark in known],
    )
    for read, write in (("open_windows", "place_windows"), ("open_sessions", "place_sessions")):
        rows = await connection.fetch(SQL[read])
        await connection.execute(SQL[write], *_placed(rows, move.partitions))


def _placed(rows: Iterable[Any], partitions: int) -> list[list[Any]]:
    placed: list[list[Any]] = [[], [], [], []]
    for tenant_id, conversation_id, name in rows:
        partition = partition_of(event_key(tenant_id, conversation_id), partitions)
        for column, value in zip(
            placed, (tenant_id, conversation_id, name, partition), strict=True
        ):
            column.append(value)
    return placed


async def _move_rejections(connection: Connection, move: Move) -> None:
    """A RecordRejected that waits to be published names an offset, which is another one now."""
    for row in await connection.fetch(SQL["unpublished_events"], move.source):
        wire = events_pb2.Event.FromString(row["value"])
        if wire.WhichOneof("body") != "record_rejected" or row["partition"] not in move.moved:
            continue
        moved = move.moved[row["partition"]]
        wire.record_rejected.rejected_offset = moved.offset(wire.record_rejected.rejected_offset)
        await connection.execute(SQL["rewrite_unpublished"], row["id"], wire.SerializeToString())
