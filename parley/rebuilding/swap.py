"""Puts replayed tables in the place of the live ones, while the services go on."""

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any, Final

import asyncpg

from parley.db import roles, rules
from parley.db.fence import FenceKey
from parley.db.outbox import Relay
from parley.db.pool import Connection, Pool
from parley.errors import UserError
from parley.log.producer import Producer
from parley.rebuilding.shadow import LIVE, SQL, TABLES, drop, qualified, set_parameters
from parley.settings import Settings

FORMER: Final = "parley_former"
# Renewed well before it ends; a swap that was killed holds the services up for no longer.
HOLD: Final = timedelta(seconds=15)
RENEW_EVERY_S: Final = 3.0
# Below the second after which PostgreSQL looks for deadlocks, so that no reader loses to a swap.
LOCK_TIMEOUT: Final = "300ms"
LOCK_ATTEMPTS: Final = 100
LOCK_REST_S: Final = 0.1
# Above that second: only then does autovacuum, which may take hours, give way to who waits for it.
VACUUM_TIMEOUT: Final = "5s"

# Who reads on for longer than these take has the tables until the next rebuild.
FORMER_ATTEMPTS: Final = 10


class FencesMoved(Exception):
    """A consumer claimed or moved a fence although they were held: the swap did not take place."""


Fences = dict[tuple[str, str, int], tuple[int, int]]
"""Epoch and next offset by consumer, topic and partition."""


@asynccontextmanager
async def held(pool: Pool) -> AsyncIterator[Fences]:
    """Hold every fence of the live tables; all are let go of at the end, swapped or not."""
    query = SQL["hold"].format(live=LIVE)
    fences = as_fences(await pool.fetch(query, HOLD))
    renewing = asyncio.create_task(_renew(pool))
    try:
        yield fences
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        await pool.execute(SQL["release"].format(live=LIVE))


async def _renew(pool: Pool) -> None:
    while True:
        await asyncio.sleep(RENEW_EVERY_S)
        await pool.execute(SQL["renew_hold"].format(live=LIVE), HOLD)


def as_fences(rows: Sequence[Any]) -> Fences:
    """Rows of `fences` as values."""
    return {
        (row["consumer"], row["topic"], row["partition"]): (row["owner_epoch"], row["next_offset"])
        for row in rows
    }


async def drain(pool: Pool, settings: Settings, consumers: Collection[str]) -> None:
    """Publish what these consumers have still in the live outbox, in order.

    Their own relays may do the same at the same time: readers ignore what they know.
    """
    query = SQL["waiting_sources"].format(live=LIVE)
    sources = await pool.fetch(query, list(consumers))
    if not sources:
        return
    producer = Producer(settings)
    await producer.start()
    try:
        for row in sources:
            key = FenceKey(row["consumer"], row["source_topic"], row["source_partition"])
            relay = Relay(pool, producer, key)
            while await relay.publish_some():
                pass
    finally:
        await producer.stop()


async def swap(
    connection: Connection, schema: str, consumers: Collection[str], expected: Fences
) -> None:
    """Exchange the tables in one transaction: all of it happens, or nothing.

    `consumers` were replayed; what belongs to others comes over as it is. Raises FencesMoved.
    """
    for _ in range(LOCK_ATTEMPTS):
        try:
            async with connection.transaction():
                await _keep_vacuum_off(connection, schema)
                await _lock(connection)
                await _exchange(connection, schema, list(consumers), expected)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(LOCK_REST_S)
        else:
            return
    raise UserError(
        "The live tables could not be locked: long transactions use them.",
        "End them (see pg_stat_activity), and run the command again: it goes on where it was.",
    )


async def drop_former(connection: Connection) -> bool:
    """Do away with the tables that a swap replaced, which takes as long as there is much in them.

    False where somebody still reads them, who had waited for them during the swap.
    """
    for _ in range(FORMER_ATTEMPTS):
        try:
            async with connection.transaction():
                await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
                await drop(connection, FORMER)
        except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
            await asyncio.sleep(LOCK_REST_S)
        else:
            return True
    return False


async def stop_vacuum(connection: Connection, schema: str) -> None:
    """End what autovacuum is at, so that a swap that follows soon need not wait for it."""
    with suppress(asyncpg.LockNotAvailableError):
        async with connection.transaction():
            await _keep_vacuum_off(connection, schema)


async def _keep_vacuum_off(connection: Connection, schema: str) -> None:
    """Keep autovacuum off both schemas' tables until the transaction ends; nobody else notices.

    It takes this lock and no other, and is busy with tables that were just filled. Where a swap
    waited for it together with readers and writers, these would wait for as long.
    """
    await connection.execute(f"SET LOCAL lock_timeout = '{VACUUM_TIMEOUT}'")
    both = f"{qualified(LIVE, *TABLES)}, {qualified(schema, *TABLES)}"
    await connection.execute(f"LOCK TABLE {both} IN SHARE UPDATE EXCLUSIVE MODE")


async def _lock(connection: Connection) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    first = ["fences", *(table for table in TABLES if table != "fences")]
    await connection.execute(f"LOCK TABLE {qualified(LIVE, *first)} IN ACCESS EXCLUSIVE MODE")


async def _exchange(
    connection: Connection, schema: str, consumers: list[str], expected: Fences
) -> None:
    async def run(query: str, *arguments: Any) -> Any:
        text = SQL[query].format(live=LIVE, shadow=schema)
        return await connection.fetch(text, *arguments)

    if as_fences(await run("fences")) != expected:
        raise FencesMoved
    if await run("waiting_sources", consumers):
        raise FencesMoved
    await run("carry_fences", consumers)
    await run("carry_ledger", consumers)
    await run("carry_ledger_minutes", consumers)
    await run("free_fences")
    await run("outbox_sequence")
    await run("carry_outbox", consumers)
    await run("letters_sequence")
    await run("renumber_letters")
    forgotten = [*await run("forget_known_letters"), *await run("forget_copied_letters")]
    known = [row["id"] for row in forgotten]
    await run("carry_letters", known, consumers)
    await _move(connection, schema)


async def _move(connection: Connection, schema: str) -> None:
    await drop(connection, FORMER)
    await set_parameters(connection, schema)
    await rules.drop_views(connection)
    await connection.execute(f"CREATE SCHEMA {FORMER}")
    for table in TABLES:
        await connection.execute(f"ALTER TABLE {LIVE}.{table} SET SCHEMA {FORMER}")
    for table in TABLES:
        await connection.execute(f"ALTER TABLE {schema}.{table} SET SCHEMA {LIVE}")
    await rules.make_views(connection)
    await roles.grant(connection)
    await drop(connection, schema)
