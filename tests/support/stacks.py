"""The Kafka and the PostgreSQL of a test run: named ones, containers, or the embedded ones."""

import gc
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import docker
from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import ExecWaitStrategy, LogMessageWaitStrategy

from parley.local.stack import Endpoints, Stack
from tests.support.processes import ROOT, free_port

KAFKA_IMAGE = "apache/kafka:4.1.1"
POSTGRES_IMAGE = "postgres:17"
PASSWORD = "only-for-tests"
# For the servers of one process, and as much again for each of the others.
ROOM_BYTES = 8 << 30
# How long an engine may be silent; a pull is not, while it gets on.
PULL_S = 60

Kind = Literal["named", "containers", "embedded"]
_WORDS: Final[Mapping[Kind, str]] = {
    "named": "a stack that runs already",
    "containers": "containers of this run",
    "embedded": "an embedded stack",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a run's servers come from, and why."""

    kind: Kind
    reason: str

    def __str__(self) -> str:
        return f"{_WORDS[self.kind]}: {self.reason}"


def choose() -> Choice:
    """The stack that PARLEY_TEST_STATE_DIR names, or of the kind that PARLEY_TEST_STACK names.

    Else containers where an engine has the images or gets them in time, else an embedded one.
    """
    if os.environ.get("PARLEY_TEST_STATE_DIR"):
        return Choice("named", "PARLEY_TEST_STATE_DIR names it")
    wanted = os.environ.get("PARLEY_TEST_STACK")
    if wanted == "embedded":
        return Choice("embedded", "PARLEY_TEST_STACK wants it")
    if wanted == "containers":
        return Choice("containers", "PARLEY_TEST_STACK wants them")
    if wanted:
        raise ValueError(f"PARLEY_TEST_STACK is {wanted}: it is embedded, containers or unset")
    problem = what_is_missing()
    if problem is None:
        return Choice("containers", "a Docker engine has their images")
    return Choice("embedded", problem)


@contextmanager
def running_stack(choice: Choice) -> Iterator[Endpoints]:
    """Servers from where was chosen, stopped at the end unless somebody else runs them."""
    if choice.kind == "named":
        yield Stack(Path(os.environ["PARLEY_TEST_STATE_DIR"])).up(print)
        return
    with _containers() if choice.kind == "containers" else _embedded() as endpoints:
        yield endpoints


def what_is_missing() -> str | None:
    """Why there can be no containers; None where an engine answers and has both images."""
    client = _client()
    if client is None:
        return "no Docker engine answers"
    try:
        for image in (KAFKA_IMAGE, POSTGRES_IMAGE):
            _have(client, image)
    except (DockerException, RequestException) as error:
        return f"the Docker engine has no {image} and gets none ({type(error).__name__})"
    finally:
        client.close()
    return None


def _client() -> docker.DockerClient | None:
    # Where no engine answers, docker-py leaves the socket that it tried to connect unclosed; it
    # is collected here, so that its warning does not fail whatever test runs by then.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        client = None
        with suppress(DockerException):
            client = docker.from_env(timeout=PULL_S)
        gc.collect()
    return client


def _have(client: docker.DockerClient, image: str) -> None:
    try:
        client.images.get(image)
    except ImageNotFound:
        client.images.pull(image)


@contextmanager
def _embedded() -> Iterator[Endpoints]:
    with tempfile.TemporaryDirectory(prefix="parley-tests-", dir=_memory()) as folder:
        stack = Stack(Path(folder), cache_dir=ROOT / ".parley")
        try:
            yield stack.up(print)
        finally:
            stack.down()


def _memory() -> Path | None:
    """A folder in memory with room for a run's servers: they make and delete files by the thousand.

    None where there is none: on disks of some kinds a third of a run is spent on that.
    """
    folder = Path("/dev/shm")  # noqa: S108 - a name of its own is made there
    has_room = folder.is_dir() and shutil.disk_usage(folder).free > ROOM_BYTES
    return folder if has_room else None


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
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "10",
        # As small as the embedded one: several processes have one each.
        "KAFKA_HEAP_OPTS": "-Xms128m -Xmx384m",
        "KAFKA_JVM_PERFORMANCE_OPTS": "-XX:+UseSerialGC -XX:TieredStopAtLevel=1",
    }
    container = container_of(KAFKA_IMAGE, 9092, port, settings)
    return container.waiting_for(LogMessageWaitStrategy("Kafka Server started"))


def _postgres(port: int) -> DockerContainer:
    settings = {
        "POSTGRES_USER": "parley",
        "POSTGRES_PASSWORD": PASSWORD,
        "POSTGRES_DB": "parley",
    }
    # Over TCP: while the image makes the database, its server listens on a socket only.
    ready = ExecWaitStrategy(["pg_isready", "-h", "127.0.0.1", "-U", "parley", "-d", "parley"])
    container = container_of(POSTGRES_IMAGE, 5432, port, settings)
    return container.with_command("postgres -c max_connections=200").waiting_for(ready)


def container_of(
    image: str, inside: int, outside: int, settings: dict[str, str]
) -> DockerContainer:
    """A container whose port is published on loopback only."""
    container = DockerContainer(image, env=settings)
    # Docker's own form for "on loopback only", which with_bind_ports does not take.
    container.ports[str(inside)] = ("127.0.0.1", outside)  # type: ignore[assignment]
    return container
