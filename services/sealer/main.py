"""The sealer's process: one consumer of the events topic, and the clock that writes ticks."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from parley import ids
from parley.db.pool import Pool, connect
from parley.garbage import COLLECT_AFTER_BATCHES
from parley.health import Check, Health, HealthApp
from parley.lifecycle import run_service, serve
from parley.log.consumer import Batching, FencedConsumer
from parley.log.producer import Producer
from parley.topics import Topic
from services.sealer.settings import SealerSettings
from services.sealer.stream import SealerStream

SERVICE: Final = "sealer"


async def start(settings: SealerSettings, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    pool = await connect(settings)
    producer = Producer(settings)
    try:
        await producer.start()
        stream = SealerStream(settings, pool, producer)
        consumer = _consumer(settings, stream, pool, producer)
        app = HealthApp(_health(pool, producer, consumer, stream))
        tasks = (consumer.run, stream.tick)
        await serve(app, settings, stop, *tasks, collect_after=COLLECT_AFTER_BATCHES)
    finally:
        await producer.stop()
        await pool.close()


def _consumer(
    settings: SealerSettings, stream: SealerStream, pool: Pool, producer: Producer
) -> FencedConsumer:
    return FencedConsumer(
        SERVICE,
        settings.topic(Topic.EVENTS),
        stream,
        settings,
        pool,
        producer,
        Batching(settings.sealer_batch_records, settings.sealer_save_interval),
        owner=ids.random_id(),
    )


def _health(
    pool: Pool, producer: Producer, consumer: FencedConsumer, stream: SealerStream
) -> Health:
    async def database() -> None:
        await pool.fetchval("SELECT 1")

    async def partitions() -> None:
        _fail_if_any(consumer.stopped)

    async def batches() -> None:
        _fail_if_any(consumer.waiting)

    def facts() -> dict[str, Any]:
        return {"partitions": sorted(consumer.claims), "open_windows": stream.open_windows}

    checks: dict[str, Check] = {
        "database": database,
        "kafka": producer.check,
        "partitions": partitions,
        "batches": batches,
    }
    return Health(SERVICE, checks, facts=facts)


def _fail_if_any(wrong: Mapping[int, str]) -> None:
    if wrong:
        raise RuntimeError("; ".join(f"{number}: {reason}" for number, reason in wrong.items()))


def main() -> None:
    """Be the process `python -m services.sealer.main`."""
    run_service(SERVICE, SealerSettings, start)


if __name__ == "__main__":
    main()
