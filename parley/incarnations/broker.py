"""What Kafka is asked while a topic's next incarnation is made."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import METADATA_TIMEOUT_S, TOPIC_ALREADY_EXISTS, admin_client, topic_ends
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.settings import Settings

POLL_MS: Final = 500
AT_ONCE: Final = 2_000
STALL_S: Final = 30.0
# A broker takes no batch that is longer: none at all.
_CLOSING: Final = "max.message.bytes"
_CLOSED: Final = "0"
# How Kafka names the source of a setting that was made for the topic.
_OF_THE_TOPIC: Final = 1


async def read_partition(
    settings: Settings, topic: str, partition: int, first: int, end: int
) -> AsyncIterator[LogRecord]:
    """The records of a partition from an offset to before another. Raises UserError for a gap."""
    if first >= end:
        return
    tp = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        client_id="parley-topics",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
    try:
        await consumer.start()
        consumer.assign([tp])
        consumer.seek(tp, first)
        expected = first
        while expected < end:
            async with asyncio.timeout(STALL_S):
                fetched = await _fetch(consumer, tp)
            for raw in fetched:
                if raw.offset != expected:
                    raise UserError(f"{topic}/{partition} does not hold offset {expected}.")
                yield to_log_record(raw)
                expected += 1
                if expected == end:
                    break
    except TimeoutError as error:
        raise UserError(
            f"The records of {topic}/{partition} did not come.",
            "See with `parley doctor` what is wrong with Kafka, and run the command again.",
        ) from error
    finally:
        await stop_consumer(consumer)


async def _fetch(consumer: Any, tp: TopicPartition) -> list[Any]:
    while True:
        fetched = await consumer.getmany(tp, timeout_ms=POLL_MS, max_records=AT_ONCE)
        if records := fetched.get(tp):
            return list(records)


async def settings_of(admin: AIOKafkaAdminClient, topic: str) -> dict[str, str]:
    """What was set for the topic itself, by Kafka's names."""
    answers: list[Any] = await admin.describe_configs(
        [ConfigResource(ConfigResourceType.TOPIC, topic)]
    )
    [resource] = [one for answer in answers for one in answer.resources]
    return {entry[0]: entry[1] for entry in resource[4] if entry[3] == _OF_THE_TOPIC}


async def close_topic(settings: Settings, topic: str) -> None:
    """Let the broker refuse every further record; what it has stays readable."""
    await _set_closed(settings, topic, is_closed=True)


async def open_topic(settings: Settings, topic: str) -> None:
    """Let the broker take records again."""
    await _set_closed(settings, topic, is_closed=False)


async def is_closed(settings: Settings, topic: str) -> bool:
    """Whether the broker refuses further records."""
    async with admin_client(settings) as admin:
        return (await settings_of(admin, topic)).get(_CLOSING) == _CLOSED


async def _set_closed(settings: Settings, topic: str, *, is_closed: bool) -> None:
    async with admin_client(settings) as admin:
        # Kafka replaces all settings of the topic, so the others are written again.
        kept = await settings_of(admin, topic)
        kept.pop(_CLOSING, None)
        wanted = {**kept, **({_CLOSING: _CLOSED} if is_closed else {})}
        answers: list[Any] = await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, topic, wanted)]
        )
    for code, message, *_ in (one for answer in answers for one in answer.resources):
        if code != 0:
            raise UserError(f"Kafka refused to change {topic}: {message or code}.")


async def has_topic(settings: Settings, topic: str) -> bool:
    """Whether the broker has it."""
    async with admin_client(settings) as admin:
        return topic in await admin.list_topics()


async def create_like(settings: Settings, source: str, topic: str, partitions: int) -> None:
    """Create a topic that is set up as another one, and wait until it can be used."""
    async with admin_client(settings) as admin:
        configs = await settings_of(admin, source)
        configs.pop(_CLOSING, None)
        made = NewTopic(
            name=topic,
            num_partitions=partitions,
            replication_factor=settings.replication_factor,
            topic_configs=configs,
        )
        answer = await admin.create_topics([made])
        for _, code, *message in answer.topic_errors:
            if code not in (0, TOPIC_ALREADY_EXISTS):
                raise UserError(f"Kafka refused to create {topic}: {message or code}.")
    await _wait_until_usable(settings, topic, partitions)


async def _wait_until_usable(settings: Settings, topic: str, partitions: int) -> None:
    found = 0
    try:
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            while True:
                found = await _partition_count(settings, topic)
                if found == partitions:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError as error:
        raise UserError(
            f"{topic} was to have {partitions} partitions, and has {found}.",
            "Where an earlier run made it with other ones, run that again, or end it with --abort.",
        ) from error


async def _partition_count(settings: Settings, topic: str) -> int:
    try:
        return len(await topic_ends(settings, topic))
    except (UserError, KafkaError):
        # Not all brokers know it yet.
        return 0


async def delete_topic(settings: Settings, topic: str) -> None:
    """Delete it, where it is there, and wait until it is gone."""
    async with admin_client(settings) as admin:
        if topic not in await admin.list_topics():
            return
        await admin.delete_topics([topic])
        async with asyncio.timeout(METADATA_TIMEOUT_S):
            while True:
                if topic not in await admin.list_topics():
                    return
                await asyncio.sleep(0.2)
