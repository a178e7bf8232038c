"""A worker whose effect is not idempotent: it adds to a counter, so every mistake shows.

Run as `python -m tests.support.counting_worker`. Where PARLEY_STATE_DIR holds a file `stop-before`
or `stop-inside`, it takes the file away and stops itself (SIGSTOP) before or inside its next
transaction.
"""

import asyncio
import os
import signal
from datetime import timedelta

from parley.codec import Outgoing
from parley.db import pool as database
from parley.db.fence import Fence
from parley.db.outbox import enqueue
from parley.db.pool import Connection
from parley.health import Health, HealthApp
from parley.lifecycle import run_service, serve
from parley.log.consumer import Batch, Batching, FencedConsumer
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

CREATE = "CREATE TABLE IF NOT EXISTS counts (partition int PRIMARY KEY, n bigint, sum bigint)"
ADD = """
INSERT INTO counts VALUES ($1, $2, $3)
ON CONFLICT (partition) DO UPDATE SET n = counts.n + $2, sum = counts.sum + $3
"""


class Counter:
    """Counts records and sums their offsets; echoes each record through the outbox."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.claims: dict[int, Fence] = {}

    async def claimed(self, claim: Fence) -> None:
        self.claims[claim.key.partition] = claim

    async def prepare(self, batch: Batch) -> Batch:
        self._stop_if_told("stop-before")
        return batch

    async def apply(self, connection: Connection, work: Batch) -> None:
        offsets = [record.offset for record in work.records]
        key = work.fence.key
        await connection.execute(ADD, key.partition, len(offsets), sum(offsets))
        self._stop_if_told("stop-inside")
        topic = self.settings.topic(Topic.SEALS)
        echoes = [
            Outgoing(topic, r.key, f"{r.partition}:{r.offset}".encode(), ()) for r in work.records
        ]
        await enqueue(connection, key, echoes)

    async def committed(self, work: Batch) -> None:
        """Nothing more to do."""

    def released(self, partition: int) -> None:
        self.claims.pop(partition, None)

    def _stop_if_told(self, name: str) -> None:
        order = self.settings.state_dir / name
        if order.exists():
            order.unlink()
            os.kill(os.getpid(), signal.SIGSTOP)


def counting_consumer(
    settings: Settings, pool: database.Pool, producer: Producer, max_records: int = 100
) -> FencedConsumer:
    """The fenced consumer around the counter."""
    return FencedConsumer(
        "counter",
        settings.topic(Topic.EVENTS),
        Counter(settings),
        settings,
        pool,
        producer,
        Batching(max_records, timedelta(milliseconds=10)),
        owner=f"test-{os.getpid()}",
    )


async def start(settings: Settings, stop: asyncio.Event) -> None:
    """Be the service."""
    pool = await database.connect(settings)
    await pool.execute(CREATE)
    producer = Producer(settings)
    await producer.start()
    consumer = counting_consumer(settings, pool, producer)
    app = HealthApp(Health("counter"))
    try:
        await serve(app, settings, stop, consumer.run)
    finally:
        await producer.stop()
        await pool.close()


if __name__ == "__main__":
    run_service("counter", Settings, start)
