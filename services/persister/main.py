"""The persister's process: three consumers, one for each topic that fills tables."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from parley import ids
from parley.db.pool import Pool, connect
from parley.health import Check, Health, HealthApp
from parley.lifecycle import run_service, serve
from parley.log.consumer import BatchHandler, Batching, FencedConsumer
from parley.log.disk import DiskGauge
from parley.log.producer import Producer
from parley.topics import Topic
from services.persister.consumers import NAMES, config_handler, handlers
from services.persister.settings import PersisterSettings
from services.persister.store.accounts import SERVICE
from services.persister.store.trimming import Trimming
from services.persister.stream.inbox import InboxRelay

# One for each partition that is being written, and some for the relays and the health check.
POOL_SIZE: Final = 16


async def start(settings: PersisterSettings, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    pool = await connect(settings, max_size=POOL_SIZE)
    producer = Producer(settings)
    try:
        await producer.start()
        consumers = _consumers(settings, pool, producer)
        app = HealthApp(_health(pool, producer, consumers))
        trimming = Trimming(pool, settings.persister_discarded_kept)
        inbox = InboxRelay(pool, producer, settings.topic(Topic.EVENTS), settings.gap_policies())
        tasks = [inbox.run, *(consumer.run for consumer in consumers.values())]
        disk = DiskGauge(producer, settings)
        await serve(app, settings, stop, *tasks, trimming.run, disk.run)
    finally:
        await producer.stop()
        await pool.close()


def _consumers(
    settings: PersisterSettings, pool: Pool, producer: Producer
) -> dict[Topic, FencedConsumer]:
    batching = Batching(settings.persister_batch_records, settings.persister_batch_linger)
    owner = ids.random_id()

    def consumer(topic: Topic, handler: BatchHandler[Any]) -> FencedConsumer:
        return FencedConsumer(
            NAMES[topic],
            settings.topic(topic),
            handler,
            settings,
            pool,
            producer,
            batching,
            owner,
            is_compacted=topic is Topic.CONFIG,
        )

    all_handlers: dict[Topic, BatchHandler[Any]] = {
        **handlers(settings, pool),
        Topic.CONFIG: config_handler(settings),
    }
    return {topic: consumer(topic, handler) for topic, handler in all_handlers.items()}


def _health(pool: Pool, producer: Producer, consumers: dict[Topic, FencedConsumer]) -> Health:
    async def database() -> None:
        await pool.fetchval("SELECT 1")

    async def partitions() -> None:
        _fail_if_any({topic: consumer.stopped for topic, consumer in consumers.items()})

    async def batches() -> None:
        _fail_if_any({topic: consumer.waiting for topic, consumer in consumers.items()})

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
        "batches": batches,
    }
    return Health(SERVICE, checks, facts=facts)


def _fail_if_any(found: Mapping[Topic, Mapping[int, str]]) -> None:
    wrong = [
        f"{topic}/{partition}: {reason}"
        for topic, partitions in found.items()
        for partition, reason in partitions.items()
    ]
    if wrong:
        raise RuntimeError("; ".join(wrong))


def main() -> None:
    """Be the process `python -m services.persister.main`."""
    run_service(SERVICE, PersisterSettings, start)


if __name__ == "__main__":
    main()
