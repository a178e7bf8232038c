"""At a secured Kafka each service does its work with its own rights, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    KafkaError,
    TopicAuthorizationFailedError,
)

from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import apply_topics
from parley.log.disk import log_dirs
from parley.log.granting import grant
from parley.log.rights import RIGHTS, acls
from parley.settings import Settings
from parley.topics import Topic
from tests.support.passes import apply_shipped
from tests.support.processes import ServiceProcess
from tests.support.publish import message, publish, short_policy
from tests.support.secured_kafka import ADMIN, SecuredKafka, secured_kafka
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

SERVICES: Final = tuple(RIGHTS)
REFUSED: Final = (
    TopicAuthorizationFailedError,
    GroupAuthorizationFailedError,
    ClusterAuthorizationFailedError,
)
PATIENCE_S: Final = 20.0


@asynccontextmanager
async def granted(folder: Path, settings: Settings) -> AsyncIterator[SecuredKafka]:
    """A secured Kafka with all topics, where every service has its rights."""
    users = [f"parley-{name}" for name in (*SERVICES, "stranger")]
    async with secured_kafka(folder, users) as kafka:
        await apply_topics(kafka.settings_for(ADMIN, settings))
        await apply_shipped(kafka.settings_for(ADMIN, settings))
        await grant(kafka.settings_for(ADMIN, settings), list(acls(settings)))
        yield kafka


async def test_each_service_may_do_its_work_and_nothing_else(
    settings: Settings, pool: Any, tmp_path: Path
) -> None:
    async with granted(tmp_path / "kafka", settings) as kafka:
        await _assert_a_conversation_becomes_verdicts(kafka, settings, pool)
        # So that there is something to read.
        for topic in Topic:
            await _write(kafka.settings_for(ADMIN, settings), topic)
        for name in (*SERVICES, "stranger"):
            own = kafka.settings_for(f"parley-{name}", settings)
            assert await _found(own, name) == _expected(name), name
        await _assert_nobody_comes_in_otherwise(kafka, settings)


def _expected(service: str) -> dict[str, set[str]]:
    rights = RIGHTS.get(service)
    return {
        "reads": set() if rights is None else set(rights.reads),
        "writes": set() if rights is None else set(rights.writes),
        "groups": {rights.group_prefix} if rights is not None and rights.group_prefix else set(),
        "creates": set(),
        "disks": {"of the log"} if rights is not None and rights.describes_cluster else set(),
    }


async def _found(own: Settings, service: str) -> dict[str, set[str]]:
    """What a principal can really do, tried out."""
    readable = RIGHTS[service].reads[0] if service in RIGHTS else Topic.EVENTS
    groups = {one.group_prefix for one in RIGHTS.values() if one.group_prefix}
    return {
        "reads": {one for one in Topic if await _is_allowed(_read(own, one))},
        "writes": {one for one in Topic if await _is_allowed(_write(own, one))},
        "groups": {one for one in groups if await _is_allowed(_join(own, one, readable))},
        "creates": {one for one in ("another",) if await _is_allowed(_create(own, one))},
        "disks": {"of the log"} if await _is_allowed(_ask_for_disks(own)) else set(),
    }


async def _is_allowed(attempt: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await attempt
    except KafkaError as error:
        # aiokafka wraps some of them in a plain KafkaError.
        if not isinstance(error, REFUSED) and "AuthorizationFailed" not in str(error):
            raise
        return False
    return True


async def _read(own: Settings, topic: Topic) -> None:
    """Returns once a record was read."""
    name = own.topic(topic)
    consumer = AIOKafkaConsumer(**kafka_options(own), enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer._client.set_topics([name])
        if name in consumer._client.cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(name)
        tp = TopicPartition(name, 0)
        consumer.assign([tp])
        consumer.seek(tp, 0)
        while not await consumer.getmany(tp, timeout_ms=500):
            pass
    finally:
        await consumer.stop()


async def _write(own: Settings, topic: Topic) -> None:
    producer = AIOKafkaProducer(**kafka_options(own), acks="all", enable_idempotence=True)
    try:
        await producer.start()
        # No service can use it, and nobody else reads here any more.
        await producer.send_and_wait(own.topic(topic), b"", key=b"k", partition=0)
    finally:
        await producer.stop()


async def _join(own: Settings, prefix: str, topic: Topic) -> None:
    group = f"{own.topic_prefix if prefix == 'parley-activity' else ''}{prefix}.tried"
    consumer = AIOKafkaConsumer(**kafka_options(own), group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        tp = TopicPartition(own.topic(topic), 0)
        consumer.assign([tp])
        await consumer.committed(tp)
    finally:
        await consumer.stop()


async def _ask_for_disks(own: Settings) -> None:
    """Returns once a broker has told how much room there is."""
    client = AIOKafkaClient(**kafka_options(own))
    try:
        await client.bootstrap()
        (broker,) = (one.nodeId for one in client.cluster.brokers())
        assert all(folder.size_bytes > 0 for folder in await log_dirs(client, broker))
    finally:
        await client.close()


async def _create(own: Settings, name: str) -> None:
    try:
        await apply_topics(own.model_copy(update={"topic_prefix": f"{name}."}))
    except UserError as error:
        assert "Authorization failed" in str(error)
        raise ClusterAuthorizationFailedError from error


async def _assert_a_conversation_becomes_verdicts(
    kafka: SecuredKafka, settings: Settings, pool: Any
) -> None:
    with ExitStack() as running:
        processes = {}
        for name in SERVICES:
            own = kafka.settings_for(f"parley-{name}", settings)
            processes[name] = running.enter_context(ServiceProcess(name, own))
        policy = short_policy()
        said = [message("c", number, policy=policy) for number in range(5)]
        await publish(kafka.settings_for(ADMIN, settings), said)

        async def has_verdicts() -> bool:
            return bool(await pool.fetchval("SELECT count(*) >= 2 FROM verdicts"))

        await eventually(has_verdicts, timeout=90)
        exported = (
            await asyncio.to_thread(httpx.get, f"{processes['persister'].url}/metrics")
        ).text
        assert "parley_log_disk_usable_bytes{" in exported


async def _assert_nobody_comes_in_otherwise(kafka: SecuredKafka, settings: Settings) -> None:
    own = kafka.settings_for("parley-gateway", settings)
    others = (
        {"kafka_password": None, "kafka_username": None, "kafka_security_protocol": "PLAINTEXT"},
        {"kafka_username": "parley-nobody"},
        # The machine's authorities do not know the broker's.
        {"kafka_ca_file": None},
    )
    for change in others:
        with pytest.raises(KafkaError):
            async with asyncio.timeout(PATIENCE_S):
                await _read(own.model_copy(update=change), Topic.EVENTS)
