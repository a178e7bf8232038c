"""Publishes a prepared import: a start in every partition, its events in order, an end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from parley import clock, ids
from parley.codec import Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import Body, Event, ImportFinished, ImportOutcome, ImportStarted
from parley.importing.bookmarks import Bookmarks, Place
from parley.importing.pace import Pace
from parley.importing.past import SENDER, Envelope, PastEvent, event_of
from parley.importing.prepared import PROGRESS_EVERY, Prepared
from parley.log.admin import PartitionEnds
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
    """An import that lies in the log; `resumed_count` of its events did before this run."""

    import_id: str
    spans: tuple[Span, ...]
    resumed_count: int


def import_id_of(prepared: Prepared, tenant_id: str) -> str:
    """The import's id: the same content is the same import."""
    return ids.import_id(tenant_id, prepared.digest)


async def publish(
    prepared: Prepared,
    envelope: Envelope,
    producer: Producer,
    bookmarks: Bookmarks,
    pace: Pace,
    ends: list[PartitionEnds],
    progress: Callable[[int], None],
) -> Published:
    """Publish it all; `progress` is told the events handed over so far.

    Interrupted anywhere it may run again: it goes on behind its bookmarks, every id comes out the
    same, and what the log has already changes nothing. Raises KafkaError, and UserError where a
    consumer stands still.
    """
    known = await bookmarks.load(ends)
    own = replace(envelope, import_id=bookmarks.import_id)
    run = _Run(own, producer, bookmarks, pace, [known.get(one.partition, 0) for one in ends])
    started = await run.mark_all(lambda _: ImportStarted(SENDER))
    async with _beside(pace.watch(), bookmarks.keep()):
        await run.events(prepared.events(), progress)
    await bookmarks.save()
    finished = await run.mark_all(run.finished)
    spans = (Span(number, *both) for number, both in enumerate(zip(started, finished, strict=True)))
    return Published(bookmarks.import_id, tuple(spans), sum(known.values()))


@asynccontextmanager
async def _beside(*endless: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run these as long as the body runs; what fails in one of them ends the body."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one) for one in endless]
        yield
        for task in tasks:
            task.cancel()


class _Run:
    """One run over the events, with what each partition has been sent."""

    def __init__(
        self,
        envelope: Envelope,
        producer: Producer,
        bookmarks: Bookmarks,
        pace: Pace,
        known_counts: list[int],
    ) -> None:
        self._envelope = envelope
        self._producer = producer
        self._bookmarks = bookmarks
        self._pace = pace
        self._known_counts = known_counts
        self._batches: list[Batch] = [[] for _ in known_counts]
        self._event_counts = [0] * len(known_counts)
        self._conversation_counts = [0] * len(known_counts)
        self._end_offsets = [0] * len(known_counts)

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

    async def events(self, events: Iterable[PastEvent], progress: Callable[[int], None]) -> None:
        """Publish in order within each partition, which has one sender and a bounded queue."""
        async with self._senders() as queues:
            last_conversation_id = ""
            for count, past in enumerate(events, start=1):
                is_new = past.conversation_id != last_conversation_id
                last_conversation_id = past.conversation_id
                partition = self._add(past, is_new_conversation=is_new)
                if len(self._batches[partition]) >= BATCH_RECORDS:
                    await self._hand_over(partition, queues[partition])
                if count % PROGRESS_EVERY == 0:
                    progress(count)
                    # What lies in the log already waits for nothing: let the others run.
                    await asyncio.sleep(0)
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
        durable_count = self._known_counts[partition]
        while (batch := await queue.get()) is not None:
            await self._pace.room(partition, self._end_offsets[partition])
            offsets = await self._producer.send_batch(partition, batch)
            durable_count += len(batch)
            self._end_offsets[partition] = offsets[-1] + 1
            self._bookmarks.move(partition, Place(durable_count, offsets[-1]))

    async def _hand_over(self, partition: int, queue: "asyncio.Queue[Batch | None]") -> None:
        batch, self._batches[partition] = self._batches[partition], []
        if batch:
            await queue.put(batch)

    def _add(self, past: PastEvent, *, is_new_conversation: bool) -> int:
        """Put an event into its partition's next batch, unless it lies there already."""
        key = event_key(self._envelope.tenant_id, past.conversation_id)
        partition = partition_of(key, len(self._batches))
        self._event_counts[partition] += 1
        self._conversation_counts[partition] += is_new_conversation
        if self._event_counts[partition] > self._known_counts[partition]:
            event = event_of(past, self._envelope, clock.now())
            self._batches[partition].append(self._outgoing(key, event, partition))
        return partition

    async def _mark(self, partition: int, body: Body) -> int:
        now = clock.now()
        # A fresh id: every run marks its own start and end.
        event = Event(
            ids.random_id(), body, now, now, sender=SENDER, import_id=self._envelope.import_id
        )
        mark = self._outgoing(None, event, partition)
        [offset] = await self._producer.send_batch(partition, [mark])
        self._end_offsets[partition] = offset + 1
        return offset

    def _outgoing(self, key: bytes | None, event: Event, partition: int) -> Outgoing:
        return Outgoing(self._bookmarks.topic, key, encode_event(event), EVENT_HEADERS, partition)
