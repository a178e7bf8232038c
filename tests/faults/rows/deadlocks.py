"""Two persisters write the same sessions, each in the other's opposite order."""

import asyncio
from collections.abc import Iterator
from functools import cache
from itertools import count as count_up
from typing import Any, Final

from parley import clock
from parley.codec import Outgoing, event_key
from parley.db import pool as database
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic, partition_of
from tests.faults.row import Findings, Row
from tests.faults.scene import COUNTED, started
from tests.faults.stage import Stage
from tests.integration.persister.reading import ledger
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, message, outgoing
from tests.support.views import residue
from tests.support.wait import eventually

SESSIONS: Final = 200
# The worker that writes is slower than the one that sends: it must not fall behind for minutes.
ROUND_S: Final = 0.25
DETECTED: Final = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Number n is one second of it."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        pair = [ServiceProcess("persister", settings), ServiceProcess("persister", settings)]
        try:
            async with started(*pair):
                sent = await send_for(settings, count, first)
                found = await all_read(settings, pool, len(sent))
                surfaced = sum("DeadlockDetectedError" in one.output for one in pair)
                assert [one.is_running for one in pair] == [True, True]
            await asyncio.sleep(1)
            detected = await pool.fetchval(DETECTED)
            rows = await pool.fetch("SELECT id::text FROM conversation_messages")
            counted = await pool.fetchval(COUNTED)
            left = int(await residue(pool))
        finally:
            await pool.close()
    stored = {row["id"] for row in rows}
    return Findings(
        acknowledged=len(sent),
        lost=len(sent - stored),
        doubled=abs(found.stored - len(sent)) + abs(counted - len(stored)),
        residue=left,
        problems=(f"{surfaced} persisters met a deadlock",) if surfaced else (),
        more={"deadlocks_detected": detected},
    )


async def send_for(settings: Settings, seconds: float, seed: int) -> set[str]:
    """Half of the partitions name all sessions in one order, half in the other."""
    producer = Producer(settings)
    await producer.start()
    sent: set[str] = set()
    ends_at = clock.monotonic() + seconds
    number = 0
    try:
        while clock.monotonic() < ends_at:
            made = list(round_of(settings, f"{seed}-{number}"))
            await producer.send_all([record for _, record in made])
            sent.update(event_id for event_id, _ in made)
            number += 1
            await asyncio.sleep(ROUND_S)
    finally:
        await producer.stop()
    return sent


def round_of(settings: Settings, number: str) -> Iterator[tuple[str, Outgoing]]:
    """A message in every session from every partition."""
    for place in range(SESSIONS):
        for partition in range(settings.partitions):
            session = place if partition % 2 else SESSIONS - 1 - place
            name = conversation_in(partition, settings.partitions, session)
            one = message(name, number, session_id=f"s-{session:03}")
            yield one.event_id, outgoing(settings, one)


@cache
def conversation_in(partition: int, partition_count: int, session: int) -> str:
    """A conversation for the session that lies in this partition."""
    names = (f"c-{session:03}-{number}" for number in count_up())
    return next(
        name
        for name in names
        if partition_of(event_key(TENANT, name), partition_count) == partition
    )


async def all_read(settings: Settings, pool: Any, count: int) -> Any:
    async def is_read() -> Any:
        now = await ledger(pool, settings, Topic.EVENTS)
        return now if now.consumed >= count else None

    return await eventually(is_read, timeout=60)


ROW = Row(
    "reversed-keys",
    "two persisters write the same sessions in opposite orders: no deadlock surfaces",
    unit="seconds",
    full=600,
    short=3,
    at_once=75,
    run=run,
)
