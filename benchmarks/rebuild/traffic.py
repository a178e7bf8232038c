"""The log that is rebuilt: a day's messages of conversations that begin and end all day long."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from benchmarks.sink.messages import Message, Record, as_parley, messages, partition_of
from parley.log.access import kafka_options
from parley.log.admin import admin_client, topic_configs
from parley.settings import Settings
from parley.topics import SPECS, Topic

# Conversations that go on at the same time, and what is said in each before the next ones begin.
AT_ONCE: Final = 1_000
MESSAGES_EACH: Final = 20
RECORDS_AT_ONCE: Final = 2_000
BATCH_BYTES: Final = 1 << 20

_BEGAN_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


def talk(count: int) -> Iterator[Message]:
    """Messages in the order of the log, spread evenly over a day; those of a conversation lie close
    together, as those of people do. Of a million each conversation takes half an hour or less, and
    is sealed by the times of the log 90 minutes after: one in twelve is open at the end.
    """
    chance = random.Random(20_260_102)  # noqa: S311 - the same each time
    began_us = int(_BEGAN_AT.timestamp()) * 1_000_000
    for number, message in enumerate(messages(count)):
        round_number = number // (AT_ONCE * MESSAGES_EACH)
        conversation = round_number * AT_ONCE + chance.randrange(AT_ONCE)
        yield message._replace(
            conversation_id=f"conversation-{conversation:05}",
            event_time_us=began_us + number * (_DAY // _MICROSECOND) // count,
        )


async def publish(settings: Settings, count: int) -> None:
    """Write the log, with the times of its day in place of the broker's.

    A log that was filled in a minute would have one minute, in which nothing ends.
    """
    topic = settings.topic(Topic.EVENTS)
    await _keep_the_writers_times(settings)
    producer = AIOKafkaProducer(**kafka_options(settings), acks="all", max_batch_size=BATCH_BYTES)
    await producer.start()
    try:
        waiting: dict[int, list[Message]] = defaultdict(list)
        for message in talk(count):
            partition = partition_of(message, settings.partitions)
            waiting[partition].append(message)
            if len(waiting[partition]) == RECORDS_AT_ONCE:
                await _append(producer, topic, partition, waiting.pop(partition))
        for partition, rest in waiting.items():
            await _append(producer, topic, partition, rest)
    finally:
        await producer.stop()


async def _keep_the_writers_times(settings: Settings) -> None:
    [spec] = [one for one in SPECS if one.topic is Topic.EVENTS]
    configs = {**topic_configs(settings, spec), "message.timestamp.type": "CreateTime"}
    topic = ConfigResource(ConfigResourceType.TOPIC, settings.topic(Topic.EVENTS), configs)
    async with admin_client(settings) as admin:
        await admin.alter_configs([topic])


async def _append(
    producer: AIOKafkaProducer, topic: str, partition: int, said: list[Message]
) -> None:
    rest = said
    while rest:
        batch = producer.create_batch()
        taken = 0
        for message in rest:
            time_ms, record = _at(message, topic)
            added = batch.append(
                timestamp=time_ms,
                key=record.key,
                value=record.value,
                headers=list(record.headers),
            )
            if added is None:
                break
            taken += 1
        rest = rest[taken:]
        await (await producer.send_batch(batch, topic, partition=partition))


def _at(message: Message, topic: str) -> tuple[int, Record]:
    moment = datetime.fromtimestamp(message.event_time_us / 1e6, UTC)
    return message.event_time_us // 1_000, as_parley(message, topic, moment)
