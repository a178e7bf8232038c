"""The analyzer's process: reads seals, runs jobs, answers for its health."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from parley import ids
from parley.db.pool import Pool, connect
from parley.health import Check, Health, HealthApp
from parley.lifecycle import Task, run_service, serve
from parley.log.admin import topic_ends
from parley.log.consumer import Batching, FencedConsumer
from parley.log.producer import Producer
from parley.topics import Topic
from services.analyzer.backfilling import Backfills
from services.analyzer.ends import CONSUMER as ENDS
from services.analyzer.ends import EndsHandler, Gate
from services.analyzer.engine import Engine, pool_size
from services.analyzer.in_force import PassesInForce
from services.analyzer.known import AppliedPasses
from services.analyzer.model.chat import ChatModel
from services.analyzer.passes import SHIPPED, Installed, load_installed
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import CONSUMER, JobStore
from services.analyzer.stream import SealsHandler
from services.analyzer.telling import Telling
from services.analyzer.webhooks.room import WebhooksRoom, open_room

BATCHING: Final = Batching(max_records=1_000, linger=timedelta(milliseconds=50))
# Nearly all of what is read back is known: it was this process that wrote it. So it is read seldom.
ENDS_BATCHING: Final = Batching(max_records=1_000, linger=timedelta(milliseconds=250))


async def start(settings: AnalyzerSettings, stop: asyncio.Event) -> None:
    """Run until `stop`."""
    # The webhooks' consumer and its sender beside the rest.
    pool = await connect(settings, max_size=pool_size(settings) + 4)
    producer = Producer(settings)
    try:
        await producer.start()
        await _run(settings, stop, pool, producer)
    finally:
        await producer.stop()
        await pool.close()


async def _run(
    settings: AnalyzerSettings, stop: asyncio.Event, pool: Pool, producer: Producer
) -> None:
    worker_id = ids.random_id()
    bell = asyncio.Event()
    installed = load_installed(SHIPPED)
    in_force = PassesInForce(settings, [one.definition for one in installed.passes])
    await in_force.start()
    handler = SealsHandler(settings, in_force, bell, worker_id)
    topic = settings.topic(Topic.SEALS)
    consumer = FencedConsumer(
        CONSUMER, topic, handler, settings, pool, producer, BATCHING, worker_id
    )
    ended_topic = settings.topic(Topic.ANALYSES)
    ends = FencedConsumer(
        ENDS, ended_topic, EndsHandler(), settings, pool, producer, ENDS_BATCHING, worker_id
    )
    ends_at = {one.partition: one.end for one in await topic_ends(settings, ended_topic)}
    gate = Gate(pool, ended_topic, ends_at)
    model = ChatModel(settings)
    known = AppliedPasses(in_force.catalog, installed.passes)
    engine = Engine(settings, JobStore(pool, settings), known, model, worker_id)
    webhooks = await open_room(settings, pool, producer, worker_id, ends_at, in_force)
    consumers = (consumer, ends, webhooks.consumer)
    health = _health(pool, producer, consumers, installed, in_force, engine, webhooks)
    app = HealthApp(health)
    backfills = Backfills(settings, pool, in_force, worker_id, bell.set, consumer.ring)
    tasks: list[Task] = [in_force.run, consumer.run, ends.run, gate.run, engine.gauge.run]
    tasks += webhooks.tasks
    tasks.append(Telling(pool, worker_id, in_force).run)
    tasks += (gate.behind(task) for task in engine.tasks(bell, consumer.ring))
    tasks.append(gate.behind(backfills.run))
    try:
        await serve(app, settings, stop, *tasks)
    finally:
        await model.close()


def _health(
    pool: Pool,
    producer: Producer,
    consumers: Sequence[FencedConsumer],
    installed: Installed,
    in_force: PassesInForce,
    engine: Engine,
    webhooks: WebhooksRoom,
) -> Health:
    async def database() -> None:
        await pool.fetchval("SELECT 1")

    async def partitions() -> None:
        stopped = [item for one in consumers for item in one.stopped.items()]
        if stopped:
            raise RuntimeError("; ".join(f"{one}: {why}" for one, why in stopped))

    def facts() -> dict[str, Any]:
        passes = [f"{one.definition.name} {one.definition.version}" for one in installed.passes]
        return {"partitions": sorted(consumers[0].claims), "passes": passes, **engine.facts()}

    checks: dict[str, Check] = {
        "database": database,
        "kafka": producer.check,
        "partitions": partitions,
        "passes": installed.check,
        "passes_in_force": in_force.check,
        "models": engine.check,
        "webhooks": webhooks.sender.check,
    }
    # Without one pass, or one model, the others are still run, and whoever is told of it.
    optional = frozenset({"passes", "passes_in_force", "models", "webhooks"})
    return Health(CONSUMER, checks, optional=optional, facts=facts)


def main() -> None:
    """Be the process `python -m services.analyzer.main`."""
    run_service(CONSUMER, AnalyzerSettings, start)


if __name__ == "__main__":
    main()
