"""Reads a stretch of the log anew, where it lies behind the tables and before memory."""

import asyncio
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.topics import Topic
from services.gateway.settings import GatewaySettings

PATIENCE_S: Final = 10.0
POLL_MS: Final = 250
# Records; a second or two.
LONGEST: Final = 50_000
# A thousand clients that come back at once would otherwise be a thousand consumers.
_AT_ONCE: Final = asyncio.Semaphore(4)


class LogUnavailable(Exception):
    """The stretch cannot be read: Kafka is away, or no longer has it."""


async def read_range(
    settings: GatewaySettings, partition: int, first_offset: int, end_offset: int, key: bytes
) -> list[LogRecord]:
    """The conversation's records from the first offset to before the end.

    Raises LogUnavailable; also for a stretch so long that many clients at once would ask for more
    than there is to give, as when nothing has stored anything for hours.
    """
    if end_offset - first_offset > LONGEST:
        raise LogUnavailable(f"{end_offset - first_offset} records lie between tables and memory")
    try:
        async with asyncio.timeout(PATIENCE_S), _AT_ONCE:
            return await _read_alone(settings, partition, first_offset, end_offset, key)
    except (KafkaError, OSError, TimeoutError) as error:
        raise LogUnavailable(type(error).__name__) from error


async def _read_alone(
    settings: GatewaySettings, partition: int, first_offset: int, end_offset: int, key: bytes
) -> list[LogRecord]:
    tp = TopicPartition(settings.topic(Topic.EVENTS), partition)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        client_id="parley-gateway-range",
        enable_auto_commit=False,
        auto_offset_reset="none",
    )
    try:
        await consumer.start()
        consumer.assign([tp])
        consumer.seek(tp, first_offset)
        return await _read(consumer, tp, end_offset, key)
    finally:
        await stop_consumer(consumer)


async def _read(consumer: Any, tp: TopicPartition, end_offset: int, key: bytes) -> list[LogRecord]:
    found: list[LogRecord] = []
    while await consumer.position(tp) < end_offset:
        for records in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
            found += [
                to_log_record(one) for one in records if one.key == key and one.offset < end_offset
            ]
    return found
