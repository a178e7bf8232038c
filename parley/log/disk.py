"""Asks every broker how much room its log has left, and how much of it Parley's topics take.

aiokafka has no such request; this is version 4 (Kafka 3.3, KIP-827), with the producer's own
connections.
"""

# The protocol classes of aiokafka have no types.
# mypy: disable-error-code="misc, import-untyped"

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar, Final, NamedTuple

import structlog
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)
from prometheus_client import Gauge

from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic

log = structlog.get_logger(__name__)

LOOK_EVERY_S: Final = 30.0

DISK_SIZE: Final = Gauge(
    "parley_log_disk_size_bytes",
    "Size of the disk that a broker's log lies on.",
    ["broker", "log_dir"],
)
DISK_USABLE: Final = Gauge(
    "parley_log_disk_usable_bytes",
    "What the disk of a broker's log still has room for.",
    ["broker", "log_dir"],
)
TOPIC_SIZE: Final = Gauge(
    "parley_log_topic_size_bytes",
    "What a topic takes on a broker's disks, replicas included.",
    ["broker", "topic"],
)


class LogDir(NamedTuple):
    """One folder of a broker's log, with the bytes of each topic in it; -1 is unknown."""

    path: str
    size_bytes: int
    usable_bytes: int
    topic_bytes: dict[str, int]


class _Response(Response):
    API_KEY = 35
    API_VERSION = 4
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        (
            "results",
            CompactArray(
                ("error_code", Int16),
                ("log_dir", CompactString("utf-8")),
                (
                    "topics",
                    CompactArray(
                        ("name", CompactString("utf-8")),
                        (
                            "partitions",
                            CompactArray(
                                ("partition", Int32),
                                ("size_bytes", Int64),
                                ("offset_lag", Int64),
                                ("is_future", Boolean),
                                ("tags", TaggedFields),
                            ),
                        ),
                        ("tags", TaggedFields),
                    ),
                ),
                ("total_bytes", Int64),
                ("usable_bytes", Int64),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _RequestV4(RequestStruct):
    FLEXIBLE_VERSION = True
    API_KEY = 35
    API_VERSION = 4
    RESPONSE_TYPE = _Response
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(
                ("name", CompactString("utf-8")),
                ("partitions", CompactArray(Int32)),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _Request(Request[_RequestV4]):
    API_KEY: ClassVar[int] = 35

    def build(self, request_struct_class: type[_RequestV4]) -> _RequestV4:
        # No list means all topics; an empty one means none.
        return request_struct_class(None, {})


async def log_dirs(client: AIOKafkaClient, broker: int) -> list[LogDir]:
    """The folders of one broker's log; raises KafkaError, also where this is not allowed."""
    answer: Any = await client.send(broker, _Request())
    if answer.error_code:
        raise for_code(answer.error_code)(f"broker {broker}")
    return [
        LogDir(path, size, usable, _by_topic(topics))
        for error_code, path, topics, size, usable, _ in answer.results
        if not error_code
    ]


def _by_topic(topics: Iterable[Any]) -> dict[str, int]:
    return {name: sum(size for _, size, *_ in parts) for name, parts, _ in topics}


class DiskGauge:
    """Exports the brokers' disks; where a broker does not tell, nothing is exported."""

    def __init__(self, producer: Producer, settings: Settings) -> None:
        self._producer = producer
        self._topics = {settings.topic(topic) for topic in Topic}
        self._complaint = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until `stop`."""
        while not stop.is_set():
            await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()

    async def look(self) -> None:
        """Ask every broker once; one that is away, or may not tell, costs nothing else."""
        try:
            client = self._producer.client()
            found = {one: await log_dirs(client, one) for one in _brokers(client)}
        except (KafkaError, OSError) as error:
            self._complain(type(error).__name__)
            found = {}
        for gauge in (DISK_SIZE, DISK_USABLE, TOPIC_SIZE):
            gauge.clear()
        for broker, folders in found.items():
            self._show(str(broker), folders)

    def _show(self, broker: str, folders: Iterable[LogDir]) -> None:
        sizes: Counter[str] = Counter()
        for folder in folders:
            sizes.update(folder.topic_bytes)
            # A broker that cannot ask its disk says -1.
            if folder.size_bytes >= 0:
                DISK_SIZE.labels(broker, folder.path).set(folder.size_bytes)
                DISK_USABLE.labels(broker, folder.path).set(folder.usable_bytes)
        for topic in self._topics & sizes.keys():
            TOPIC_SIZE.labels(broker, topic).set(sizes[topic])

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            log.warning("log_disk_unknown", error=complaint)
        self._complaint = complaint


def _brokers(client: AIOKafkaClient) -> list[int]:
    return sorted(one.nodeId for one in client.cluster.brokers())
