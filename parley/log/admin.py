"""Creates the topics, and says where each begins and ends."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError

from parley import clock
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.connections import stop_consumer
from parley.log.topic_ids import UnknownTopic, topic_incarnation
from parley.settings import Settings
from parley.topics import SPECS, TopicSpec

METADATA_TIMEOUT_S = 30
COORDINATOR_PATIENCE_S = 30.0
COORDINATOR_RETRY_S = 0.2
TOPIC_ALREADY_EXISTS = 36


def no_kafka(settings: Settings, error: Exception) -> UserError:
    """What to tell a person whose broker does not answer."""
    return UserError(
        f"No Kafka at {settings.kafka_bootstrap} ({type(error).__name__}).",
        "Start one with `parley local up`, or set PARLEY_KAFKA_BOOTSTRAP.",
    )


def no_topic(topic: str) -> UserError:
    """What to tell a person whose broker does not have the topic."""
    return UserError(
        f"Kafka has no topic {topic}.", "Create the topics with `parley topics apply`."
    )


@asynccontextmanager
async def admin_client(settings: Settings) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client; raises UserError where no broker answers."""
    admin = AIOKafkaAdminClient(**kafka_options(settings), client_id="parley")
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise no_kafka(settings, error) from error
    try:
        yield admin
    finally:
        await admin.close()


@dataclass(frozen=True, slots=True)
class AppliedTopic:
    """What `apply_topics` found or made."""

    name: str
    partition_count: int
    was_created: bool


async def apply_topics(settings: Settings) -> list[AppliedTopic]:
    """Create what is missing and wait until it can be used; existing topics stay as they are."""
    async with admin_client(settings) as admin:
        present = await _partition_counts(admin)
        missing = [spec for spec in SPECS if settings.topic(spec.topic) not in present]
        if missing:
            await _create(admin, settings, missing)
            present = await _wait_for(admin, settings)
        made = {spec.topic for spec in missing}
        return [
            AppliedTopic(
                settings.topic(spec.topic), present[settings.topic(spec.topic)], spec.topic in made
            )
            for spec in SPECS
        ]


async def _create(admin: AIOKafkaAdminClient, settings: Settings, specs: list[TopicSpec]) -> None:
    answer = await admin.create_topics([_new_topic(settings, spec) for spec in specs])
    for name, code, *message in answer.topic_errors:
        # Somebody else may have created it in the meantime; that is what was wanted.
        if code not in (0, TOPIC_ALREADY_EXISTS):
            raise UserError(f"Kafka refused to create {name}: {message or code}.")


def _new_topic(settings: Settings, spec: TopicSpec) -> NewTopic:
    return NewTopic(
        name=settings.topic(spec.topic),
        num_partitions=1 if spec.has_one_partition else settings.partitions,
        replication_factor=settings.replication_factor,
        topic_configs=topic_configs(settings, spec),
    )


def topic_configs(settings: Settings, spec: TopicSpec) -> dict[str, str]:
    """How a topic is to be configured, by Kafka's names."""
    return {
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(spec.retention_ms),
        "cleanup.policy": "compact" if spec.is_compacted else "delete",
        # One copy may be missing without stopping writers, where there are three.
        "min.insync.replicas": str(max(1, settings.replication_factor - 1)),
    }


async def _partition_counts(admin: AIOKafkaAdminClient) -> dict[str, int]:
    topics = await admin.describe_topics()
    return {one["topic"]: len(one["partitions"]) for one in topics if one["error_code"] == 0}


async def _wait_for(admin: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    wanted = {settings.topic(spec.topic) for spec in SPECS}
    async with asyncio.timeout(METADATA_TIMEOUT_S):
        while True:
            present = await _partition_counts(admin)
            if wanted <= present.keys():
                return present
            await asyncio.sleep(0.1)


@dataclass(frozen=True, slots=True)
class PartitionEnds:
    """The first offset that a partition still holds, and the next one to be written."""

    partition: int
    beginning: int
    end: int


async def topic_ends(settings: Settings, topic: str) -> list[PartitionEnds]:
    """Where every partition of a topic begins and ends now; raises UserError."""
    consumer = AIOKafkaConsumer(**kafka_options(settings), client_id="parley")
    try:
        await consumer.start()
        partitions = await _topic_partitions(consumer, topic)
        beginnings = await consumer.beginning_offsets(partitions)
        ends = await consumer.end_offsets(partitions)
    except (KafkaError, OSError) as error:
        raise no_kafka(settings, error) from error
    finally:
        await stop_consumer(consumer)
    return [PartitionEnds(tp.partition, beginnings[tp], ends[tp]) for tp in partitions]


def group_of(consumer: str, topic: str) -> str:
    """The consumer group in which a consumer's workers share a topic."""
    return f"parley-{consumer}.{topic}"


async def hints(settings: Settings, consumer: str, topic: str) -> dict[int, int]:
    """By partition up to where Kafka was told that a consumer has read; raises UserError.

    No promise: it lags behind the tables, or is ahead of those of an older backup.
    """
    group = group_of(consumer, topic)
    async with admin_client(settings) as admin:
        found = await _when_coordinated(settings, lambda: admin.list_consumer_group_offsets(group))
    return {tp.partition: one.offset for tp, one in found.items() if tp.topic == topic}


async def _when_coordinated(settings: Settings, ask: Callable[[], Awaitable[Any]]) -> Any:
    """A new broker makes the topic of its groups when somebody first asks for one."""
    deadline_s = clock.monotonic() + COORDINATOR_PATIENCE_S
    while True:
        try:
            return await ask()
        except GroupCoordinatorNotAvailableError as error:
            if clock.monotonic() > deadline_s:
                raise no_kafka(settings, error) from error
            await asyncio.sleep(COORDINATOR_RETRY_S)


async def offsets_at(settings: Settings, topic: str, moment: datetime) -> dict[int, int]:
    """By partition the first offset that was appended at a moment or later; raises UserError."""
    consumer = AIOKafkaConsumer(**kafka_options(settings), client_id="parley")
    try:
        await consumer.start()
        partitions = await _topic_partitions(consumer, topic)
        millis = int(moment.timestamp() * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, millis))
        ends = await consumer.end_offsets(partitions)
    except (KafkaError, OSError) as error:
        raise no_kafka(settings, error) from error
    finally:
        await stop_consumer(consumer)
    offsets = {tp: ends[tp] if found.get(tp) is None else found[tp].offset for tp in partitions}
    return {tp.partition: offset for tp, offset in offsets.items()}


async def _topic_partitions(consumer: AIOKafkaConsumer, topic: str) -> list[TopicPartition]:
    # A topic that this client never asked for is not in its metadata yet.
    await consumer._client.force_metadata_update()
    numbers = consumer.partitions_for_topic(topic)
    if not numbers:
        raise no_topic(topic)
    return [TopicPartition(topic, number) for number in sorted(numbers)]


async def incarnation_of(settings: Settings, topic: str) -> str:
    """The topic's incarnation; raises UserError where no broker answers, or has the topic."""
    async with admin_client(settings) as admin:
        try:
            return await topic_incarnation(admin._client, topic)
        except UnknownTopic as error:
            raise no_topic(topic) from error
