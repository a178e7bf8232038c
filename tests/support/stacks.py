"""The Kafka and the PostgreSQL of a test run: named ones, containers, or the embedded ones."""

import gc
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import docker
from docker.errors import DockerException, ImageNotFound
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from parley.local.stack import Endpoints, Stack
from tests.support.processes import ROOT, free_port

KAFKA_IMAGE = "apache/kafka:4.1.1"
POSTGRES_IMAGE = "postgres:17"
PASSWORD = "only-for-tests"


@contextmanager
def running_stack() -> Iterator[Endpoints]:
    """The stack that PARLEY_TEST_STATE_DIR names, else containers where an engine has the images.

    Otherwise, and where PARLEY_TEST_STACK is `embedded`, an embedded stack of this run's own.
    """
    named = os.environ.get("PARLEY_TEST_STATE_DIR")
    if named:
        yield Stack(Path(named)).up(print)
        return
    wanted = os.environ.get("PARLEY_TEST_STACK")
    use_containers = wanted == "containers" or (wanted is None and has_engine())
    with _containers() if use_containers else _embedded() as endpoints:
        yield endpoints


def has_engine() -> bool:
    """Whether a Docker engine answers and has, or can have, both images."""
    client = _client()
    if client is None:
        return False
    try:
        for image in (KAFKA_IMAGE, POSTGRES_IMAGE):
            _have(client, image)
    except DockerException:
        return False
    finally:
        client.close()
    return True


def _client() -> docker.DockerClient | None:
    # Where no engine answers, docker-py leaves the socket that it tried to connect unclosed; it
    # is collected here, so that its warning does not fail whatever test runs by then.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        client = None
        with suppress(DockerException):
            client = docker.from_env()
        gc.collect()
    return client


def _have(client: docker.DockerClient, image: str) -> None:
    try:
        client.images.get(image)
    except ImageNotFound:
        client.images.pull(image)


@contextmanager
def _embedded() -> Iterator[Endpoints]:
    with tempfile.TemporaryDirectory(prefix="parley-tests-") as folder:
        stack = Stack(Path(folder), cache_dir=ROOT / ".parley")
        try:
            yield stack.up(print)
        finally:
            stack.down()


@contextmanager
def _containers() -> Iterator[Endpoints]:
    kafka_port, postgres_port = free_port(), free_port()
    with _kafka(kafka_port), _postgres(postgres_port):
        yield Endpoints(
            f"127.0.0.1:{kafka_port}",
            f"postgresql://parley:{PASSWORD}@127.0.0.1:{postgres_port}/parley",
        )


def _kafka(port: int) -> DockerContainer:
    settings = {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        # The broker tells clients the port that the engine publishes.
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }
    container = _container(KAFKA_IMAGE, 9092, port, settings)
    return container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))


def _postgres(port: int) -> DockerContainer:
    settings = {
        "POSTGRES_USER": "parley",
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_DB": "parley",
    }
    # Once while it initialises, once for good.
    ready = LogMessageWaitStrategy("database system is ready to accept connections", times=2)
    return _container(POSTGRES_IMAGE, 5432, port, settings).waiting_for(ready)


def _container(image: str, inside: int, outside: int, settings: dict[str, str]) -> DockerContainer:
    container = DockerContainer(image, env=settings)
    # Docker's own form for "on loopback only", which with_bind_ports does not take.
    container.ports[str(inside)] = ("127.0.0.1", outside)  # type: ignore[assignment]
    return container
