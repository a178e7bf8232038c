"""Publishes records durably: acks from all replicas, idempotent, and never wedged."""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    UnknownProducerId,
)

from parley.codec import MAX_RECORD_BYTES, Header, Outgoing
from parley.codec.record import COPY_HEADERS
from parley.log.access import kafka_options
from parley.log.admin import no_kafka
from parley.settings import Settings
from parley.topics import partition_of
from parley.tracing import TRACEPARENT

log = structlog.get_logger(__name__)

STOP_TIMEOUT_S = 8.0
# What surrounds a record in its batch, generously.
RECORD_OVERHEAD_BYTES = 256
# What a producer answers to everything once the broker has rejected one of its records, and what it
# answers, once another has replaced it, to those who still waited for room in its buffer.
WEDGED = (OutOfOrderSequenceNumber, UnknownProducerId, ProducerClosed)


class Record(Protocol):
    """What is published of an Outgoing, and of whatever else has these."""

    @property
    def topic(self) -> str:
        """Where it goes."""

    @property
    def key(self) -> bytes | None:
        """What decides about its partition."""

    @property
    def value(self) -> bytes:
        """What it says."""

    @property
    def headers(self) -> tuple[Header, ...]:
        """What is said about it."""


class Appended(NamedTuple):
    """Records that lie one after the other in the log, since they were appended together.

    `time_ms` is when, by the broker, in milliseconds since 1970; None where it did not say.
    """

    first_offset: int
    record_count: int
    time_ms: int | None


class RecordTooLarge(ValueError):
    """A record that the broker would refuse; it never reaches the producer."""


class Producer:
    """An idempotent producer that replaces itself when the broker wedges its sequence.

    One record that the broker rejects makes every later send on its partition fail with
    OutOfOrderSequenceNumber; so sizes are checked before, and on that error the inner producer is
    thrown away and the record sent through a new one.
    """

    def __init__(self, settings: Settings, linger_ms: int = 2) -> None:
        self._settings = settings
        self._linger_ms = linger_ms
        self._inner: Any = None
        self._replacing = asyncio.Lock()
        # Those that were replaced, until they have flushed what they still could.
        self._stopping: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connect; raises UserError where no broker answers."""
        try:
            self._inner = await self._connect()
        except (KafkaError, OSError) as error:
            raise no_kafka(self._settings, error) from error

    async def stop(self) -> None:
        """Flush what is buffered and disconnect; with no broker there, give up after a while.

        What was not acknowledged by then is its sender's still: an outbox row, a client's frame.
        """
        inner, self._inner = self._inner, None
        if inner is None:
            return
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await asyncio.gather(inner.stop(), *self._stopping)
        except TimeoutError:
            log.warning("producer_gave_up", reason="no broker took what was buffered")

    async def send(self, outgoing: Outgoing) -> Any:
        """Publish one record; returns its metadata (partition, offset, timestamp) once durable.

        Raises RecordTooLarge before sending, KafkaError when it could not be made durable.
        """
        return await (await self.accept(outgoing))

    async def accept(self, outgoing: Outgoing) -> Awaitable[Any]:
        """Buffer one record; what comes back must be awaited and is as that of `send`.

        Callers that wait for this before the next call keep their records' order, which calls of
        `send` side by side lose when the buffer is full. Cancelled, it sends nothing.
        """
        check_size(outgoing)
        inner = self._started()
        try:
            appended = await self._append(inner, outgoing)
        except WEDGED as error:
            await self._replace(inner, error)
            inner = self._started()
            appended = await self._append(inner, outgoing)
        return self._settle(inner, outgoing, appended)

    async def check(self) -> None:
        """Raises KafkaError when no broker answers."""
        await self._started().client.fetch_all_metadata()

    def client(self) -> Any:
        """The present connections, for requests of another kind."""
        return self._started().client

    async def partition_count(self, topic: str) -> int:
        """How many partitions a topic has, by the broker."""
        return len(await self._started().partitions_for(topic))

    async def _settle(self, inner: Any, outgoing: Outgoing, appended: Awaitable[Any]) -> Any:
        try:
            return await appended
        except WEDGED as error:
            await self._replace(inner, error)
            return await (await self._append(self._started(), outgoing))

    async def send_all(self, batch: Sequence[Outgoing]) -> list[Any]:
        """Publish records in order within their partitions; returns once all are durable."""
        for outgoing in batch:
            check_size(outgoing)
        return await asyncio.gather(*[await self.accept(outgoing) for outgoing in batch])

    async def send_by_key(self, batch: Sequence[Outgoing]) -> None:
        """As `send_all`, for many records of few topics: at a fraction of its cost for each."""
        topics = {one.topic for one in batch}
        counts = {topic: await self.partition_count(topic) for topic in topics}
        parts: dict[tuple[str, int], list[Outgoing]] = {}
        anywhere: list[Outgoing] = []
        for one in batch:
            partition = _partition_of(one, counts[one.topic])
            if partition is None:
                anywhere.append(one)
            else:
                parts.setdefault((one.topic, partition), []).append(one)
        sending = [self.send_batch(partition, some) for (_, partition), some in parts.items()]
        await asyncio.gather(*sending, self.send_all(anywhere))

    async def send_batch(self, partition: int, batch: Sequence[Record]) -> list[int]:
        """Publish records of one topic to one partition, in their order, once all are durable.

        Returns their offsets. For writers of many records: a tenth of the cost of `send`.
        Batches keep their order where each is awaited before the next. Raises RecordTooLarge
        before sending, KafkaError when not all could be made durable.
        """
        for record in batch:
            check_size(record)
        appended = await self.append_batch(partition, batch)
        return [first + number for first, count, _ in appended for number in range(count)]

    async def append_batch(self, partition: int, batch: Sequence[Record]) -> list[Appended]:
        """As `send_batch`, for who has looked at the sizes; in the batch's order.

        Tells more of what lies where.
        """
        appended: list[Appended] = []
        inner = self._started()
        try:
            await _publish_batch(inner, partition, batch, appended)
        except WEDGED as error:
            await self._replace(inner, error)
            await _publish_batch(self._started(), partition, batch, appended)
        return appended

    def _started(self) -> Any:
        if self._inner is None:
            raise RuntimeError("the producer was not started")
        return self._inner

    async def _append(self, inner: Any, outgoing: Outgoing) -> Any:
        return await inner.send(
            outgoing.topic,
            value=outgoing.value,
            key=outgoing.key,
            partition=outgoing.partition,
            headers=list(outgoing.headers),
        )

    async def _replace(self, broken: Any, error: KafkaError) -> None:
        """Let another producer take its place, unless one has; raises the error if all is over."""
        async with self._replacing:
            if self._inner is None:
                raise error
            if self._inner is not broken:
                return
            log.warning("producer_replaced", reason="the broker rejected its sequence")
            self._inner = await self._connect()
            # By itself: it may take long, and who is given up meanwhile must not leave it open.
            stopping = asyncio.create_task(broken.stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)

    async def _connect(self) -> AIOKafkaProducer:
        inner = AIOKafkaProducer(
            **kafka_options(self._settings),
            client_id="parley",
            acks="all",
            enable_idempotence=True,
            linger_ms=self._linger_ms,
            max_batch_size=256 * 1024,
            max_request_size=MAX_RECORD_BYTES + 64 * 1024,
        )
        try:
            await inner.start()
        except BaseException:
            await inner.stop()
            raise
        return inner


def _partition_of(outgoing: Outgoing, partition_count: int) -> int | None:
    """Where a record belongs; None for one without a key, which may go anywhere."""
    if outgoing.partition is not None or outgoing.key is None:
        return outgoing.partition
    return partition_of(outgoing.key, partition_count)


async def _publish_batch(
    inner: Any, partition: int, batch: Sequence[Record], appended: list[Appended]
) -> None:
    """Publish what follows that which was appended already, and add where it lies."""
    first = end = sum(one.record_count for one in appended)
    while first < len(batch):
        builder = inner.create_batch()
        while end < len(batch) and _append(builder, batch[end]):
            end += 1
        # Closed, so that nobody else's record gets in between.
        builder.close()
        durable = await (await inner.send_batch(builder, batch[first].topic, partition=partition))
        # -1 where the topic keeps the producer's time.
        time_ms = durable.timestamp if durable.timestamp >= 0 else None
        appended.append(Appended(durable.offset, end - first, time_ms))
        first = end


def _append(builder: Any, record: Record) -> bool:
    """Whether the record fitted; the first one of a batch always does."""
    added = builder.append(
        timestamp=None, key=record.key, value=record.value, headers=list(record.headers)
    )
    return added is not None


def check_size(record: Record) -> None:
    """Raises RecordTooLarge for a record that the broker would refuse."""
    size = size_of(record)
    if size > MAX_RECORD_BYTES:
        raise RecordTooLarge(f"a record of {size} bytes; {MAX_RECORD_BYTES} are allowed")


def size_of(record: Record) -> int:
    """The most bytes that a record takes in its batch."""
    return len(record.value) + len(record.key or b"") + overhead_of(record.headers)


# There are as many as kinds of records, and they are asked for with every one.
@lru_cache(maxsize=64)
def overhead_of(headers: tuple[Header, ...]) -> int:
    """The most bytes that a record takes beside its key and its value."""
    # What a copy says of its source is not counted, else the longest records had no copy; nor is
    # the trace, which a record gets when its size was looked at. Kafka takes 48 kB more than is
    # allowed here.
    own = [(name, value) for name, value in headers if name not in (*COPY_HEADERS, TRACEPARENT)]
    return RECORD_OVERHEAD_BYTES + sum(len(name) + len(value) for name, value in own)
