"""The persister's process: three consumers, one for each topic that fills tables."""

import asyncio
import gc
from typing import Any, Final

from fastapi import FastAPI

from parley import ids
from parley.db.pool import Pool, connect
from parley.health import Check, Health, health_router
from parley.lifecycle import run_service, serve
from parley.log.consumer import Batching, FencedConsumer
from parley.log.producer import Producer
from parley.topics import Topic
from services.persister.consumers import NAMES, handlers
from services.persister.settings import PersisterSettings
from services.persister.store.accounts import SERVICE
from services.persister.store.trimming import Trimming

# One for each partition that is being written, and some for the relays and the health check.
POOL_SIZE: Final = 16

# A batch's objects live until its commit and hold no cycles: Python's default of 700 new objects
# would have the collector walk all of them again and again, a third of the time that is spent.
OBJECTS_BETWEEN_COLLECTIONS: Final = 50_000


async def start(settings: PersisterSettings, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    pool = await connect(settings, max_size=POOL_SIZE)
    producer = Producer(settings)
    try:
        await producer.start()
        consumers = _consumers(settings, pool, producer)
        app = FastAPI(title="Parley persister")
        app.include_router(health_router(_health(pool, producer, consumers)))
        trimming = Trimming(pool, settings.persister_discarded_kept)
        tasks = [consumer.run for consumer in consumers.values()]
        await serve(app, settings, stop, *tasks, trimming.run)
    finally:
        await producer.stop()
        await pool.close()


def _consumers(
    settings: PersisterSettings, pool: Pool, producer: Producer
) -> dict[Topic, FencedConsumer]:
    batching = Batching(settings.persister_batch_records, settings.persister_batch_linger)
    owner = ids.random_id()
    return {
        topic: FencedConsumer(
            NAMES[topic],
            settings.topic(topic),
            handler,
            settings,
            pool,
            producer,
            batching,
            owner,
        )
        for topic, handler in handlers(settings, pool).items()
    }


def _health(pool: Pool, producer: Producer, consumers: dict[Topic, FencedConsumer]) -> Health:
    async def database() -> None:
        await pool.fetchval("SELECT 1")

    async def partitions() -> None:
        stopped = [
            f"{topic}/{partition}: {reason}"
            for topic, consumer in consumers.items()
            for partition, reason in consumer.stopped.items()
        ]
        if stopped:
            raise RuntimeError("; ".join(stopped))

    def facts() -> dict[str, Any]:
        return {
            "partitions": {
                topic.value: sorted(consumer.claims) for topic, consumer in consumers.items()
            }
        }

    checks: dict[str, Check] = {
        "database": database,
        "kafka": producer.check,
        "partitions": partitions,
    }
    return Health(SERVICE, checks, facts=facts)


def main() -> None:
    """Be the process `python -m services.persister.main`."""
    run_service(SERVICE, PersisterSettings, start)


if __name__ == "__main__":
    main()
