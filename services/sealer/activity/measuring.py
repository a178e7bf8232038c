"""Measures every few seconds: asks the log for its ends, and writes the figures down."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley import clock
from parley.db.errors import is_transient
from parley.log.access import kafka_options
from parley.log.admin import no_kafka
from parley.log.connections import stop_consumer
from parley.topics import Topic
from services.sealer.activity import metrics
from services.sealer.activity.counting import Counting
from services.sealer.activity.settings import ActivitySettings
from services.sealer.activity.store import Store

log = structlog.get_logger(__name__)

# After so many intervals without a measurement the figures are old.
_LATE_AFTER: Final = 3


class Measuring:
    """Writes the figures of what this worker counts; while it cannot, they grow old and say so."""

    def __init__(self, settings: ActivitySettings, counting: Counting, store: Store) -> None:
        self._settings = settings
        self._counting = counting
        self._store = store
        self._topic = settings.topic(Topic.EVENTS)
        self._interval_s = settings.activity_interval.total_seconds()
        self._measured_at = float("-inf")
        self._failure = "nothing is measured yet"
        # Where each partition ended at the measurement before.
        self._ends: Mapping[int, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Measure until `stop`, and then say that nobody does; raises UserError without Kafka."""
        consumer = AIOKafkaConsumer(
            **kafka_options(self._settings), client_id="parley-activity-ends"
        )
        try:
            await consumer.start()
            self._ends = await self._ends_of(consumer)
        except (KafkaError, OSError) as error:
            await stop_consumer(consumer)
            raise no_kafka(self._settings, error) from error
        try:
            while not stop.is_set():
                await self._measure(consumer)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._interval_s)
            await self._leave()
        finally:
            await stop_consumer(consumer)

    def check(self) -> None:
        """Raises RuntimeError while measurements fail."""
        if clock.monotonic() - self._measured_at > _LATE_AFTER * self._interval_s:
            raise RuntimeError(self._failure)

    async def _measure(self, consumer: Any) -> None:
        try:
            ends = await self._ends_of(consumer)
            figures = self._counting.measure(clock.now(), self._ends)
            await self._store.write(figures, len(ends))
        except Exception as error:
            if not isinstance(error, KafkaError) and not is_transient(error):
                raise
            self._note_failure(error)
            return
        metrics.MEASUREMENTS.labels("written").inc()
        metrics.GROUPS.set(len({group for one in figures for group in one.groups}))
        self._ends, self._measured_at = ends, clock.monotonic()

    async def _ends_of(self, consumer: Any) -> Mapping[int, int]:
        await consumer._client.force_metadata_update()
        partitions = consumer.partitions_for_topic(self._topic) or ()
        ends = await consumer.end_offsets([TopicPartition(self._topic, one) for one in partitions])
        return {tp.partition: end for tp, end in ends.items()}

    def _note_failure(self, error: Exception) -> None:
        """A Kafka or a database that is away is waited for."""
        self._failure = f"{type(error).__name__}: not measured"
        metrics.MEASUREMENTS.labels("failed").inc()
        log.warning("activity_not_measured", error=type(error).__name__)

    async def _leave(self) -> None:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            # Where it cannot be said, the figures' age says it.
            await self._store.leave()
