"""Who owns an offset: PostgreSQL, by compare-and-set in the transaction of the batch's effects."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, NoReturn

import asyncpg
import structlog

from parley.db.pool import Connection, Pool
from parley.db.sql import load

log = structlog.get_logger(__name__)

_SQL: Final = load(__package__)

# As long as the server lets a transaction be idle; it looks at those only between statements.
SILENCE: Final = timedelta(seconds=5)
LOOK_EVERY_S: Final = 1.0


class FenceLost(Exception):
    """Another owner, or another offset than this worker believed in: its batch had no effect."""


class FenceHeld(FenceLost):
    """Tables are being swapped, or were a moment ago: wait a little, and claim anew."""


class OtherIncarnation(Exception):
    """The fence belongs to another incarnation of the topic: its offsets mean nothing here."""


class OtherTopic(OtherIncarnation):
    """The consumer's tables follow `topic`, which took this one's place, or had its place."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


@dataclass(frozen=True, slots=True)
class FenceKey:
    """Which consumer reads which partition."""

    consumer: str
    topic: str
    partition: int


@dataclass(frozen=True, slots=True)
class Tail:
    """The last record that the tables hold, to recognise a log that lost its end."""

    append_time: datetime
    checksum: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A claim on a partition: valid while nobody else raises the epoch."""

    key: FenceKey
    incarnation: str
    owner_epoch: int
    next_offset: int
    tail: Tail | None

    def after(self, last_offset: int, tail: Tail | None) -> "Fence":
        """The same claim, once records up to `last_offset` are in the tables."""
        return replace(self, next_offset=last_offset + 1, tail=tail)


async def claim(pool: Pool, key: FenceKey, incarnation: str, owner: str) -> Fence:
    """Raise the epoch and read where to go on; raises FenceHeld or OtherIncarnation.

    OtherTopic where the consumer's tables follow another one. A former owner that was stopped
    within a transaction, and says nothing more, loses its connection.
    """
    async with pool.acquire() as connection, _ending_silent_holders(pool, connection):
        row = await connection.fetchrow(
            _SQL["claim_fence"], key.consumer, key.topic, key.partition, incarnation, owner
        )
    if row is None:
        await _explain_refusal(pool, key, incarnation)
    tail = None
    if row["last_append_time"] is not None:
        tail = Tail(row["last_append_time"], row["last_checksum"])
    return Fence(key, row["incarnation"], row["owner_epoch"], row["next_offset"], tail)


@asynccontextmanager
async def _ending_silent_holders(pool: Pool, waiting: Connection) -> AsyncIterator[None]:
    """While this connection waits for a lock: end the sessions that hold it, and whose clients have
    been silent for long within a transaction.

    None of the server's time limits sees a client that stops in the middle of a COPY.
    """
    pid = waiting.get_server_pid()

    async def look() -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                ended = await pool.fetchval(_SQL["end_silent_holders"], pid, SILENCE)
            except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                # Another role's session, say; who waits for the lock tries again by itself.
                log.warning("silent_holder_stays", error=type(error).__name__)
            else:
                if ended:
                    log.warning("silent_holders_ended", count=ended)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _explain_refusal(pool: Pool, key: FenceKey, incarnation: str) -> NoReturn:
    row = await pool.fetchrow(_SQL["read_fence"], key.consumer, key.topic, key.partition)
    where = f"{key.topic}/{key.partition}"
    if row is not None and row["incarnation"] != incarnation:
        raise OtherIncarnation(f"{key.consumer} has read another incarnation of {where}")
    other: str | None = await pool.fetchval(_SQL["other_topic"], key.consumer, key.topic)
    if row is None and other is not None:
        raise OtherTopic(other)
    raise FenceHeld(f"{key.consumer} is held on {where}")


async def advance(
    connection: Connection, fence: Fence, last_offset: int, tail: Tail | None
) -> Fence:
    """Move the fence past `last_offset` within the caller's transaction, or leave it where it is.

    Raises FenceHeld while tables are swapped, and FenceLost where it is another's.
    """
    key = fence.key
    status = await connection.execute(
        _SQL["advance_fence"],
        key.consumer,
        key.topic,
        key.partition,
        fence.incarnation,
        fence.owner_epoch,
        fence.next_offset,
        last_offset + 1,
        None if tail is None else tail.append_time,
        None if tail is None else tail.checksum,
    )
    if status != "UPDATE 1":
        row = await connection.fetchrow(_SQL["read_fence"], key.consumer, key.topic, key.partition)
        if row is not None and row["is_held"]:
            raise FenceHeld(f"{key.consumer} is held on {key.topic}/{key.partition}")
        raise FenceLost(f"{key.consumer} lost {key.topic}/{key.partition}")
    return fence.after(last_offset, tail)


async def has_committed(pool: Pool, fence: Fence, last_offset: int) -> bool:
    """Whether a batch whose COMMIT got no reply took place; raises FenceLost for a third state."""
    key = fence.key
    row = await pool.fetchrow(_SQL["read_fence"], key.consumer, key.topic, key.partition)
    if row is not None and row["owner_epoch"] == fence.owner_epoch:
        if row["next_offset"] == last_offset + 1:
            return True
        if row["next_offset"] == fence.next_offset:
            return False
    raise FenceLost(f"{key.consumer} lost {key.topic}/{key.partition}")


async def clear_stop(pool: Pool, key: FenceKey) -> None:
    """Take back what `record_stop` has left: the partition goes on, also where no record comes."""
    await pool.execute(_SQL["clear_stop"], key.consumer, key.topic, key.partition)


async def is_ours(pool: Pool, fence: Fence) -> bool:
    """Whether nobody has claimed the partition since, wherever its offset stands."""
    key = fence.key
    row = await pool.fetchrow(_SQL["read_fence"], key.consumer, key.topic, key.partition)
    return row is not None and row["owner_epoch"] <= fence.owner_epoch and not row["is_held"]


async def record_stop(pool: Pool, key: FenceKey, reason: str) -> None:
    """Leave in the fence why the partition stands still, for `parley status`."""
    await pool.execute(_SQL["stop_fence"], key.consumer, key.topic, key.partition, reason)
