"""The fence, shown with a worker whose effect is not idempotent and a real `kill -9`."""

import asyncio
import random
from collections import Counter as Tally
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete

from parley.db import pool as database
from parley.events import Event
from parley.log.admin import admin_client, apply_topics, topic_ends
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.counting_worker import CREATE, counting_consumer
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish
from tests.support.topics import read_values
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

WORKER = "tests.support.counting_worker"


def messages(count: int, start: int = 0) -> list[Event]:
    return [message(f"c{number % 50}", number) for number in range(start, start + count)]


async def counted(pool: Any) -> int:
    if await pool.fetchval("SELECT to_regclass('counts')") is None:
        return 0
    return int(await pool.fetchval("SELECT coalesce(sum(n), 0) FROM counts"))


async def assert_exactly_once(settings: Settings, pool: Any, expected: int) -> None:
    """Every offset of every partition was counted once, and echoed to the seals topic."""

    async def all_counted() -> bool:
        return await counted(pool) >= expected

    await eventually(all_counted, timeout=60)
    for ends in await topic_ends(settings, settings.topic(Topic.EVENTS)):
        row = await pool.fetchrow("SELECT n, sum FROM counts WHERE partition = $1", ends.partition)
        n, total = (row["n"], row["sum"]) if row else (0, 0)
        assert (n, total) == (ends.end, ends.end * (ends.end - 1) // 2), ends

    async def all_published() -> bool:
        unpublished = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
        return not await pool.fetchval(unpublished)

    await eventually(all_published)
    echoes = Tally(await read_values(settings, Topic.SEALS))
    assert len(echoes) == expected


async def test_kill_9_under_load_counts_every_record_once(settings: Settings, pool: Any) -> None:
    chance = random.Random(1)
    with ServiceProcess(WORKER, settings) as worker:
        for round_number in range(6):
            await publish(settings, messages(400, 400 * round_number))
            await asyncio.sleep(chance.uniform(0.0, 0.4))
            worker.kill()
            worker.start(wait=False)
        await assert_exactly_once(settings, pool, 2400)


@pytest.mark.parametrize("moment", ["stop-before", "stop-inside"])
async def test_a_worker_paused_at_its_transaction_is_fenced_out(
    settings: Settings, pool: Any, moment: str
) -> None:
    with ServiceProcess(WORKER, settings) as zombie:
        await publish(settings, messages(200))
        (settings.state_dir / moment).touch()
        await publish(settings, messages(200, 200))

        async def is_stopped() -> bool:
            return not (settings.state_dir / moment).exists()

        await eventually(is_stopped)
        with ServiceProcess(WORKER, settings):
            await publish(settings, messages(200, 400))

            async def taken_over() -> bool:
                return await counted(pool) >= 600

            await eventually(taken_over, timeout=60)
            zombie.resume()
            await publish(settings, messages(200, 600))
            await assert_exactly_once(settings, pool, 800)


async def test_workers_that_come_and_go_count_every_record_once(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess(WORKER, settings):
        for round_number in range(4):
            await publish(settings, messages(200, 200 * round_number))
            with ServiceProcess(WORKER, settings):
                await publish(settings, messages(100, 10_000 + 100 * round_number))
        await assert_exactly_once(settings, pool, 1200)


async def test_a_topic_that_was_made_anew_stops_its_partitions(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    await make_anew(settings, settings.topic(Topic.EVENTS))
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        assert "made anew" in await stopped_reason(pool)
    assert await counted(pool) == 100


async def test_a_log_that_lost_its_end_stops_the_partition(settings: Settings, pool: Any) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    # As if the broker had lost the last record and written another in its place.
    await pool.execute("UPDATE fences SET last_checksum = last_checksum + 1 WHERE next_offset > 0")
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100, 100))
        assert "lost the end" in await stopped_reason(pool)
    assert await counted(pool) == 100


async def test_a_partition_that_goes_on_is_not_stopped_any_more_although_nothing_comes(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    await pool.execute("UPDATE fences SET stopped_reason = 'the broker lost its end'")
    with ServiceProcess(WORKER, settings):

        async def is_none_stopped() -> bool:
            stopped = "SELECT count(*) FROM fences WHERE stopped_reason IS NOT NULL"
            return bool(await pool.fetchval(stopped) == 0)

        await eventually(is_none_stopped)


async def test_a_log_that_was_trimmed_up_to_the_fence_goes_on(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    await trim(settings, beyond=0)
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100, 100))
        await assert_exactly_once(settings, pool, 200)


async def test_a_log_that_was_trimmed_beyond_the_fence_stops_the_partition(
    settings: Settings, pool: Any
) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    await publish(settings, messages(100, 100))
    await trim(settings, beyond=1)
    with ServiceProcess(WORKER, settings):
        assert "records are missing" in await stopped_reason(pool)
    assert await counted(pool) == 100


async def test_a_fence_beyond_the_log_stops_the_partition(settings: Settings, pool: Any) -> None:
    with ServiceProcess(WORKER, settings):
        await publish(settings, messages(100))
        await assert_exactly_once(settings, pool, 100)
    await pool.execute("UPDATE fences SET next_offset = next_offset + 1000")
    with ServiceProcess(WORKER, settings):
        assert "records are missing" in await stopped_reason(pool)


@pytest.mark.parametrize("is_committed", [True, False])
async def test_a_connection_cut_at_commit_counts_every_record_once(
    settings: Settings, pool: Any, is_committed: bool
) -> None:
    await pool.execute(CREATE)
    producer = Producer(settings)
    await producer.start()
    stop = asyncio.Event()
    cut = CuttingPool(pool, is_committed, cuts=3)
    consumer = counting_consumer(settings, cut, producer, max_records=50)
    running = asyncio.create_task(consumer.run(stop))
    await publish(settings, messages(400))
    await assert_exactly_once(settings, pool, 400)
    stop.set()
    await running
    await producer.stop()
    assert cut.cuts == 0


# A row of more than ten records takes longer than the server allows.
SLOW = """
CREATE FUNCTION take_long() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.n - coalesce(OLD.n, 0) > 10 THEN
        RAISE query_canceled USING MESSAGE = 'canceling statement due to statement timeout';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER take_long BEFORE INSERT OR UPDATE ON counts
   FOR EACH ROW EXECUTE FUNCTION take_long()
"""


async def test_batches_that_take_too_long_are_made_smaller_until_they_fit(
    settings: Settings, pool: Any
) -> None:
    await pool.execute(CREATE)
    await pool.execute(SLOW)
    await publish(settings, messages(400))
    producer = Producer(settings)
    await producer.start()
    stop = asyncio.Event()
    consumer = counting_consumer(settings, pool, producer, max_records=100)
    running = asyncio.create_task(consumer.run(stop))
    await assert_exactly_once(settings, pool, 400)
    assert consumer.stopped == {}
    stop.set()
    await running
    await producer.stop()


async def stopped_reason(pool: Any) -> str:
    async def reason() -> str | None:
        found: str | None = await pool.fetchval(
            "SELECT stopped_reason FROM fences WHERE stopped_reason IS NOT NULL LIMIT 1"
        )
        return found

    return str(await eventually(reason))


async def trim(settings: Settings, beyond: int) -> None:
    """Delete the records below the fences, and `beyond` more."""
    topic = settings.topic(Topic.EVENTS)
    pool = await database.connect(settings)
    rows = await pool.fetch("SELECT partition, next_offset FROM fences WHERE next_offset > 0")
    await pool.close()
    before = {
        TopicPartition(topic, row["partition"]): RecordsToDelete(row["next_offset"] + beyond)
        for row in rows
    }
    async with admin_client(settings) as admin:
        await admin.delete_records(before)


async def make_anew(settings: Settings, topic: str) -> None:
    async with admin_client(settings) as admin:
        await admin.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await admin.list_topics()

        await eventually(is_gone)
    await apply_topics(settings)


class CuttingPool:
    """A pool whose first few transactions lose their connection at COMMIT: before or after it."""

    def __init__(self, pool: Any, is_committed: bool, cuts: int) -> None:
        self._pool = pool
        self._is_committed = is_committed
        self.cuts = cuts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        async with self._pool.acquire() as connection:
            yield CuttingConnection(connection, self._cut)

    def _cut(self) -> tuple[bool, bool]:
        if self.cuts == 0:
            return False, True
        self.cuts -= 1
        return True, self._is_committed


class CuttingConnection:
    """A connection whose transaction ends as `decide` says: (is cut, is committed)."""

    def __init__(self, connection: Any, decide: Callable[[], tuple[bool, bool]]) -> None:
        self._connection = connection
        self._decide = decide

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        inner = self._connection.transaction()
        await inner.start()
        try:
            yield
        except BaseException:
            await inner.rollback()
            raise
        is_cut, is_committed = self._decide()
        await (inner.commit() if is_committed else inner.rollback())
        if is_cut:
            raise ConnectionResetError("cut by the test")
