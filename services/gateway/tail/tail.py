"""Reads the events and the live topic by assignment, without a group, and hands every record on."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.log.access import kafka_options
from parley.log.admin import no_kafka, topic_ends
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.topics import Topic
from services.gateway import metrics
from services.gateway.settings import GatewaySettings
from services.gateway.tail.ring import Ring

log = structlog.get_logger(__name__)

POLL_MS: Final = 1_000
# A few milliseconds of work, so that acknowledgements need not wait for a burst.
AT_ONCE: Final = 200
# Each poll costs a request, here and at the broker, and what has gathered meanwhile comes with it.
BETWEEN_POLLS_S: Final = 0.01
# Where the tables' fences are not known: enough for connections that were away for a moment.
UNKNOWN_BACKLOG: Final = 2_000

# What takes longer to read than a client waits for its own frame.
MAX_LAG: Final = 10_000

Take = Callable[[LogRecord], None]


class TailBehind(Exception):
    """The tail is far from the end of the log."""


class Tail:
    """Every partition's ring, kept at the end of the log."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._events = settings.topic(Topic.EVENTS)
        self._live = settings.topic(Topic.LIVE)
        self._rings: dict[int, Ring] = {}
        self._consumer: Any = None
        self._advanced = asyncio.Event()
        self._lag = 0

    @property
    def partition_count(self) -> int:
        """How many partitions the events topic has."""
        return len(self._rings)

    def ring(self, partition: int) -> Ring:
        """The ring of a partition of the events topic."""
        return self._rings[partition]

    async def start(self, fences: dict[int, int]) -> None:
        """Begin at the tables' fences, as far as memory reaches; raises UserError without Kafka.

        `fences` are the next offsets that the tables do not hold yet, by partition, as far as
        they are known.
        """
        await self._make_rings(fences)
        self._consumer = _consumer(self._settings)
        try:
            await self._consumer.start()
            live = [TopicPartition(self._live, one.partition) for one in await self._live_ends()]
            events = [TopicPartition(self._events, number) for number in self._rings]
            self._consumer.assign([*events, *live])
            for tp in events:
                self._consumer.seek(tp, self._rings[tp.partition].next_offset)
            await self._consumer.seek_to_end(*live)
        except (KafkaError, OSError) as error:
            await self.stop()
            raise no_kafka(self._settings, error) from error

    async def run(self, stop: asyncio.Event, take: Take, take_live: Take) -> None:
        """Hand records on until `stop`; raises LogGap where the log is not the one that it was."""
        while not stop.is_set():
            fetched = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=AT_ONCE)
            for tp, records in fetched.items():
                for record in map(to_log_record, records):
                    if tp.topic == self._live:
                        take_live(record)
                    else:
                        self._rings[tp.partition].append(record)
                        take(record)
            self._note_progress()
            is_behind = sum(map(len, fetched.values())) >= AT_ONCE
            # Others want their turn even while the log is full of records.
            await asyncio.sleep(0 if is_behind else BETWEEN_POLLS_S)

    async def reach(self, partition: int, next_offset: int, patience_s: float) -> bool:
        """Whether the tail has passed this offset, after waiting for it so long."""
        try:
            async with asyncio.timeout(patience_s):
                while self._rings[partition].next_offset < next_offset:
                    await self._advanced.wait()
        except TimeoutError:
            return False
        return True

    async def check(self) -> None:
        """Raises TailBehind while clients would be shown the past."""
        if self._lag > MAX_LAG:
            raise TailBehind(f"{self._lag} records of the log are still to be read")

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop_consumer(consumer)

    async def _make_rings(self, fences: dict[int, int]) -> None:
        ends = await topic_ends(self._settings, self._events)
        share = self._settings.gateway_ring_bytes // len(ends)
        for one in ends:
            fence = fences.get(one.partition, one.end - UNKNOWN_BACKLOG)
            # Farther back than memory reaches would only be read to be dropped.
            first = max(one.beginning, min(fence, one.end), one.end - share // 1024)
            self._rings[one.partition] = Ring(first, share)

    async def _live_ends(self) -> Any:
        return await topic_ends(self._settings, self._live)

    def _note_progress(self) -> None:
        advanced, self._advanced = self._advanced, asyncio.Event()
        advanced.set()
        self._lag = 0
        for number, ring in self._rings.items():
            end = self._consumer.highwater(TopicPartition(self._events, number))
            self._lag += max(0, (end or 0) - ring.next_offset)
        metrics.TAIL_LAG.set(self._lag)


def _consumer(settings: GatewaySettings) -> Any:
    return AIOKafkaConsumer(
        **kafka_options(settings),
        client_id="parley-gateway-tail",
        enable_auto_commit=False,
        # An offset that the broker does not have is another log: a restart begins anew.
        auto_offset_reset="none",
        fetch_max_wait_ms=500,
        max_partition_fetch_bytes=4 * 1024 * 1024,
    )
