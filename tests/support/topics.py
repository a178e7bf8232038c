"""Reads a whole topic as it is now."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from parley.codec import LogRecord
from parley.log.access import kafka_options
from parley.log.admin import topic_ends
from parley.log.records import to_log_record
from parley.settings import Settings
from parley.topics import Topic

READ_TIMEOUT_S = 30


async def read_records(settings: Settings, topic: Topic) -> list[LogRecord]:
    """Every record of the topic, partition by partition, up to its end at the call."""
    name = settings.topic(topic)
    found = await topic_ends(settings, name)
    consumer = AIOKafkaConsumer(**kafka_options(settings), auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(name, one.partition) for one in found]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[LogRecord] = []
        async with asyncio.timeout(READ_TIMEOUT_S):
            for tp in partitions:
                await consumer.seek_to_beginning(tp)
            while any([await consumer.position(tp) < ends[tp] for tp in partitions]):
                for fetched in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(to_log_record(one) for one in fetched)
    finally:
        await consumer.stop()
    return sorted(records, key=lambda one: (one.partition, one.offset))


async def read_values(settings: Settings, topic: Topic) -> list[bytes]:
    """The values of all records."""
    return [record.value or b"" for record in await read_records(settings, topic)]
