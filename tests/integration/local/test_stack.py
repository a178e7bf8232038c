"""The real Kafka and PostgreSQL come up, survive `kill -9`, keep their data, and go away."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from parley.local import environment, ports
from parley.local.databases import create_database, drop_database
from parley.local.stack import Endpoints, Stack

pytestmark = pytest.mark.integration

# The jars of the checkout, or a download of a minute at the first run.
_CACHE = environment.SOURCE_ROOT / ".parley"


def _ignore(_sentence: str) -> None:
    """Tests need no progress."""


def _new_stack(state_dir: Path) -> Iterator[Stack]:
    stack = Stack(state_dir, cache_dir=_CACHE)
    try:
        yield stack
    finally:
        stack.down()
        shutil.rmtree(state_dir)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    yield from _new_stack(tmp_path_factory.mktemp("stack"))


@pytest.fixture
def other_stack(tmp_path: Path) -> Iterator[Stack]:
    yield from _new_stack(tmp_path / "other")


async def _append(endpoints: Endpoints, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=endpoints.kafka_bootstrap, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait("kept", value)
    finally:
        await producer.stop()


async def _read(endpoints: Endpoints, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(
        bootstrap_servers=endpoints.kafka_bootstrap, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([TopicPartition("kept", 0)])
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()


async def _query(url: str, statement: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def _create_topic(endpoints: Endpoints) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=endpoints.kafka_bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic("kept", num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def test_what_was_stored_survives_a_kill_of_both_servers(stack: Stack) -> None:
    endpoints = stack.up(_ignore)
    await _create_topic(endpoints)
    await _append(endpoints, b"before")
    await _query(endpoints.database_url, "CREATE TABLE kept AS SELECT 7 AS value")

    stack.kafka.kill()
    stack.postgres.kill()
    assert [status.is_ready for status in stack.status()] == [False, False]
    endpoints = stack.up(_ignore)

    await _append(endpoints, b"after")
    assert await _read(endpoints, 2) == [b"before", b"after"]
    assert await _query(endpoints.database_url, "SELECT value FROM kept") == 7


async def test_up_again_leaves_running_servers_alone(stack: Stack) -> None:
    first = stack.up(_ignore)
    pids = (stack.kafka.pid, stack.postgres.pid)
    assert stack.up(_ignore) == first
    assert (stack.kafka.pid, stack.postgres.pid) == pids


async def test_a_stack_in_another_folder_is_another_stack(stack: Stack, other_stack: Stack) -> None:
    mine, others = stack.up(_ignore), other_stack.up(_ignore)
    assert mine.kafka_bootstrap != others.kafka_bootstrap
    name = await _query(others.database_url, "SELECT to_regclass('kept')")
    assert name is None
    pids = {status.pid for status in stack.status()}
    other_stack.reset()
    assert {status.pid for status in stack.status()} == pids


async def test_a_database_can_be_had_beside_the_main_one(stack: Stack) -> None:
    endpoints = stack.up(_ignore)
    url = create_database(endpoints, "beside")
    assert await _query(url, "SELECT current_database()") == "beside"
    drop_database(endpoints, "beside")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await _query(url, "SELECT 1")


async def test_a_port_that_somebody_took_meanwhile_is_replaced(stack: Stack) -> None:
    stack.up(_ignore)
    taken = stack.postgres.port
    stack.postgres.down()
    with socket.create_server((ports.LOOPBACK, taken)):
        endpoints = stack.up(_ignore)
        assert stack.postgres.port != taken
        assert await _query(endpoints.database_url, "SELECT 1") == 1


async def test_servers_that_the_caller_has_are_not_started(tmp_path: Path) -> None:
    brought = Endpoints("kafka.example:9092", "postgresql://somebody@db.example/parley")
    stack = Stack(
        tmp_path, kafka_bootstrap=brought.kafka_bootstrap, database_url=brought.database_url
    )
    assert stack.up(_ignore) == brought
    assert [status.pid for status in stack.status()] == [None, None]
    assert not stack.state.path.exists()


async def test_down_leaves_no_process_and_reset_no_data(other_stack: Stack) -> None:
    other_stack.up(_ignore)
    kafka, postgres = other_stack.kafka.process, other_stack.postgres.process
    assert kafka is not None
    assert postgres is not None
    other_stack.down()
    assert not kafka.is_alive()
    assert not postgres.is_alive()
    other_stack.reset()
    assert sorted(path.name for path in other_stack.state_dir.iterdir()) == ["logs", "stack.lock"]
