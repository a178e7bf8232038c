"""Follows the config topic: every gateway knows what operators set without the database."""

import asyncio
import itertools
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from parley.codec import InvalidRecord, LogRecord
from parley.codec.config import decode_config, parse_config_key
from parley.log.admin import no_kafka, topic_ends
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.settings import Settings
from parley.topics import Topic
from services.gateway import metrics
from services.gateway.access.registry import Registry, RegistryFull

log = structlog.get_logger(__name__)

START_TIMEOUT_S: Final = 30.0
RETRY_S: Final = 0.5
_POLL_MS: Final = 250
_AT_ONCE: Final = 500
_BEGINNING: Final = -1


class ConfigTail:
    """Applies every record to a registry, from the topic's beginning on.

    While Kafka is away the registry stays as it is; what was changed meanwhile counts as soon as
    it is back.
    """

    def __init__(self, settings: Settings, registry: Registry) -> None:
        self._settings = settings
        self._topic = settings.topic(Topic.CONFIG)
        self._registry = registry
        # Where to go on, by partition.
        self._next: dict[TopicPartition, int] = {}
        self._consumer: Any = None

    async def start(self) -> None:
        """Read all that is there now; raises UserError without Kafka or the topic."""
        ends = await topic_ends(self._settings, self._topic)
        self._next = {TopicPartition(self._topic, one.partition): one.beginning for one in ends}
        targets = {TopicPartition(self._topic, one.partition): one.end for one in ends}
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._connect()
                while any(self._next[tp] < end for tp, end in targets.items()):
                    await self._read()
        except (KafkaError, OSError) as error:
            await self.close()
            raise no_kafka(self._settings, error) from error

    async def run(self, stop: asyncio.Event) -> None:
        """Apply what comes, until `stop`; a Kafka that is away is waited for."""
        try:
            while not stop.is_set():
                try:
                    await self._read()
                except (KafkaError, OSError) as error:
                    await self._begin_again(error)
        finally:
            await self.close()

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer)

    async def _connect(self) -> None:
        consumer = make_consumer(self._settings)
        try:
            await consumer.start()
            # aiokafka's stop() fails while a task that start() made has not had its first turn.
            await asyncio.sleep(0)
        except BaseException:
            await stop_consumer(consumer)
            raise
        self._consumer = consumer
        consumer.assign(list(self._next))
        for tp, offset in self._next.items():
            if offset == _BEGINNING:
                await consumer.seek_to_beginning(tp)
            else:
                consumer.seek(tp, offset)

    async def _read(self) -> None:
        if self._consumer is None:
            await self._connect()
        fetched = await self._consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for raw in itertools.chain.from_iterable(fetched.values()):
            self._apply(to_log_record(raw))
        for tp in self._next:
            # Not the last record's offset: compaction may have left nothing after it.
            self._next[tp] = await self._consumer.position(tp)

    async def _begin_again(self, error: Exception) -> None:
        metrics.CONFIG_RECONNECTS.inc()
        log.warning("config_tail_reconnects", error=type(error).__name__)
        if isinstance(error, OffsetOutOfRangeError):
            # It is another topic, or one that has lost its end: what it said counts no more.
            self._registry.clear()
            self._next = dict.fromkeys(self._next, _BEGINNING)
        await self.close()
        await asyncio.sleep(RETRY_S)

    def _apply(self, record: LogRecord) -> None:
        try:
            self._registry.apply(decode_config(record))
        except InvalidRecord as error:
            self._drop(record, error.reason)
        except RegistryFull:
            self._skip(record, "registry_full")

    def _drop(self, record: LogRecord, reason: str) -> None:
        """Compaction keeps only this record of its key: nobody will know what it was about."""
        about = parse_config_key(record.key)
        if about is None:
            return
        self._registry.forget(about)
        self._skip(record, "deleted" if record.value is None else reason)

    def _skip(self, record: LogRecord, reason: str) -> None:
        metrics.CONFIG_SKIPPED.labels(reason).inc()
        log.warning("config_record_skipped", reason=reason, offset=record.offset)


def make_consumer(settings: Settings) -> Any:
    """A consumer of its own, in no group; an offset that the broker does not have is an error."""
    return AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id="parley-gateway-config",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
