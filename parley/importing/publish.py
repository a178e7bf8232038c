"""Publishes a prepared import: a start in every partition, its messages in order, an end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from parley import clock, ids
from parley.codec import Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import Body, Event, ImportFinished, ImportOutcome, ImportStarted
from parley.importing.messages import SENDER, Envelope, message_event
from parley.importing.prepare import OrderedMessage, Prepared
from parley.log.producer import Producer
from parley.topics import partition_of

BATCH_RECORDS: Final = 500
# Batches that wait for one partition's broker: enough to keep it busy, and a bound on memory.
QUEUED_BATCHES: Final = 4

Batch = list[Outgoing]


@dataclass(frozen=True, slots=True)
class Span:
    """The offsets of an import's start and end in one partition."""

    partition: int
    started_offset: int
    finished_offset: int


@dataclass(frozen=True, slots=True)
class Published:
    """An import that lies in the log."""

    import_id: str
    spans: tuple[Span, ...]


async def publish(
    prepared: Prepared,
    envelope: Envelope,
    producer: Producer,
    topic: str,
    partition_count: int,
    progress: Callable[[int], None],
) -> Published:
    """Publish it all; `progress` is told the messages handed over so far.

    Interrupted anywhere it may run again from the start: every id comes out the same, and what
    the log has already changes nothing. Raises KafkaError.
    """
    import_id = ids.import_id(envelope.tenant_id, prepared.digest)
    run = _Run(replace(envelope, import_id=import_id), producer, topic, partition_count)
    started = await run.mark_all(lambda _: ImportStarted(SENDER))
    await run.messages(prepared.messages(), progress)
    finished = await run.mark_all(run.finished)
    spans = (Span(number, *both) for number, both in enumerate(zip(started, finished, strict=True)))
    return Published(import_id, tuple(spans))


class _Run:
    """One run over the messages, with what each partition has been sent."""

    def __init__(
        self, envelope: Envelope, producer: Producer, topic: str, partition_count: int
    ) -> None:
        self._envelope = envelope
        self._producer = producer
        self._topic = topic
        self._batches: list[Batch] = [[] for _ in range(partition_count)]
        self._event_counts = [0] * partition_count
        self._conversation_counts = [0] * partition_count

    async def mark_all(self, body_for: Callable[[int], Body]) -> list[int]:
        """Publish a body of the import to every partition; returns the offsets."""
        partitions = range(len(self._batches))
        return await asyncio.gather(*(self._mark(one, body_for(one)) for one in partitions))

    def finished(self, partition: int) -> ImportFinished:
        return ImportFinished(
            ImportOutcome.COMPLETED,
            self._event_counts[partition],
            self._conversation_counts[partition],
        )

    async def messages(
        self, messages: Iterable[OrderedMessage], progress: Callable[[int], None]
    ) -> None:
        """Publish in order within each partition, which has one sender and a bounded queue."""
        async with self._senders() as queues:
            last_conversation_id = ""
            for count, message in enumerate(messages, start=1):
                is_new = message.row.conversation_id != last_conversation_id
                last_conversation_id = message.row.conversation_id
                partition = self._add(message, is_new_conversation=is_new)
                if len(self._batches[partition]) >= BATCH_RECORDS:
                    await self._hand_over(partition, queues[partition])
                    progress(count)
            for partition, queue in enumerate(queues):
                await self._hand_over(partition, queue)

    @asynccontextmanager
    async def _senders(self) -> AsyncIterator[list["asyncio.Queue[Batch | None]"]]:
        """A queue of batches for each partition; at the end all are durable."""
        queues: list[asyncio.Queue[Batch | None]] = [
            asyncio.Queue(QUEUED_BATCHES) for _ in self._batches
        ]
        async with asyncio.TaskGroup() as group:
            for partition, queue in enumerate(queues):
                group.create_task(self._send_all(partition, queue))
            yield queues
            for queue in queues:
                await queue.put(None)

    async def _send_all(self, partition: int, queue: "asyncio.Queue[Batch | None]") -> None:
        while (batch := await queue.get()) is not None:
            await self._producer.send_batch(partition, batch)

    async def _hand_over(self, partition: int, queue: "asyncio.Queue[Batch | None]") -> None:
        batch, self._batches[partition] = self._batches[partition], []
        if batch:
            await queue.put(batch)

    def _add(self, message: OrderedMessage, *, is_new_conversation: bool) -> int:
        """Encode a message into its partition's next batch; returns the partition."""
        row, envelope = message.row, self._envelope
        key = event_key(envelope.tenant_id, row.conversation_id)
        partition = partition_of(key, len(self._batches))
        event = message_event(
            row, message.client_message_id, message.event_id, envelope, clock.now()
        )
        self._batches[partition].append(self._outgoing(key, event, partition))
        self._event_counts[partition] += 1
        self._conversation_counts[partition] += is_new_conversation
        return partition

    async def _mark(self, partition: int, body: Body) -> int:
        now = clock.now()
        # A fresh id: every run marks its own start and end.
        event = Event(
            ids.random_id(), body, now, now, sender=SENDER, import_id=self._envelope.import_id
        )
        mark = self._outgoing(None, event, partition)
        [offset] = await self._producer.send_batch(partition, [mark])
        return offset

    def _outgoing(self, key: bytes | None, event: Event, partition: int) -> Outgoing:
        return Outgoing(self._topic, key, encode_event(event), EVENT_HEADERS, partition)
