"""Accounts for every record: the ledger, and the dead letters with what follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from parley.codec import InvalidRecord, LogRecord
from parley.db.fence import Fence
from parley.db.headers import headers_to_json
from parley.db.pool import Connection, Pool
from parley.position import Position
from services.persister.core.tallies import Tally
from services.persister.store.copying import SQL

SERVICE = "persister"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not be used; `detail` never holds content."""

    record: LogRecord
    reason: str
    detail: str


async def add_to_ledger(
    connection: Connection, fence: Fence, whole: Tally, by_minute: Mapping[datetime, Tally]
) -> int:
    """Count a batch within its transaction; returns the sum of all that was ever counted."""
    total: int = await connection.fetchval(
        SQL["add_to_ledger"],
        fence.key.consumer,
        fence.key.topic,
        fence.incarnation,
        fence.key.partition,
        *whole,
        list(by_minute),
        *map(list, zip(*by_minute.values(), strict=True)),
    )
    return total


async def insert_dead_letters(
    connection: Connection, fence: Fence, letters: Sequence[DeadLetter]
) -> None:
    """Keep records that could not be used, whole."""
    if not letters:
        return
    await connection.execute(
        SQL["insert_dead_letters"],
        SERVICE,
        fence.key.topic,
        fence.incarnation,
        fence.key.partition,
        [one.record.offset for one in letters],
        [one.reason for one in letters],
        [one.detail for one in letters],
        [_append_time(one.record) for one in letters],
        [one.record.key for one in letters],
        [one.record.value for one in letters],
        [headers_to_json(one.record.headers) for one in letters],
    )


def _append_time(record: LogRecord) -> datetime:
    try:
        return record.append_time()
    except InvalidRecord:
        # The header may be what is wrong with it.
        return record.broker_time


async def recent_bad_offsets(
    pool: Pool, fence: Fence, first_offset: int, not_counted: str
) -> tuple[int, ...]:
    """Offsets of dead letters from `first_offset` on, in order, but for one reason."""
    rows = await pool.fetch(
        SQL["recent_bad_offsets"],
        SERVICE,
        fence.key.topic,
        fence.incarnation,
        fence.key.partition,
        first_offset,
        not_counted,
    )
    return tuple(row["log_offset"] for row in rows)


async def refused_before(pool: Pool, fence: Fence, reason: str) -> dict[int, str]:
    """Offsets from the fence on that a former reading has refused, with its details.

    Where the live tables stand, there are none: it is a replay, into other tables, that asks.
    """
    rows = await pool.fetch(
        SQL["refused_before"],
        SERVICE,
        fence.key.topic,
        fence.incarnation,
        fence.key.partition,
        fence.next_offset,
        reason,
    )
    return {row["log_offset"]: row["detail"] for row in rows}


async def refused_in_former_incarnations(
    pool: Pool, fence: Fence, reason: str
) -> dict[Position, str]:
    """Where what was refused lay first, with its details, if that is in another incarnation."""
    rows = await pool.fetch(
        SQL["refused_in_former_incarnations"], SERVICE, fence.incarnation, reason
    )
    return {Position(*place): detail for *place, detail in rows}


async def not_dead_letters(
    connection: Connection, fence: Fence, offsets: Sequence[int]
) -> list[int]:
    """Those of a partition's offsets at which there is no dead letter."""
    rows = await connection.fetch(
        SQL["not_dead_letters"],
        SERVICE,
        fence.key.topic,
        fence.incarnation,
        fence.key.partition,
        offsets,
    )
    return [row["log_offset"] for row in rows]
