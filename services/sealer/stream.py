"""The events topic into the core, its seals into the outbox, and ticks where no record comes."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from parley import clock, ids
from parley.codec import (
    Outgoing,
    encode_event,
    encode_seal,
    event_key,
)
from parley.codec.events import EVENT_HEADERS
from parley.codec.seals import SEAL_HEADERS
from parley.db.fence import Fence, FenceKey
from parley.db.outbox import enqueue
from parley.db.pool import Connection, Pool
from parley.events import Event, Tick
from parley.log.consumer import Batch, Part, PartitionStopped
from parley.log.producer import Producer
from parley.seals import SegmentSealed
from parley.topics import Topic
from services.sealer import metrics, store
from services.sealer.core import (
    BEGINNING,
    Changes,
    Decision,
    Fact,
    Observed,
    PartitionSealer,
    UnknownRule,
    rejected,
)
from services.sealer.reading import read_all
from services.sealer.settings import SealerSettings

log = structlog.get_logger(__name__)

# How often the owner looks at its clock; well below the shortest tick interval.
LOOK_EVERY_S: Final = 0.25
# Read between two turns of the event loop, conversations and records: a heartbeat must not wait
# for long.
WAKING_AT_ONCE: Final = 1_000
READ_AT_ONCE: Final = 200
# Decisions likewise: after a night one record may seal all that was open.
DECIDED_AT_ONCE: Final = 1_000
# Written in one transaction, which has a time limit.
DECIDED_IN_A_PART: Final = 20_000


@dataclass(frozen=True, slots=True)
class Fold:
    """What a batch decided and changed."""

    batch: Batch
    decisions: list[Decision]
    outgoing: list[Outgoing]
    changes: Changes
    deadlines: list[datetime]


class SealerStream:
    """Folds batches under the fence; memory is what the tables say, or is thrown away."""

    def __init__(self, settings: SealerSettings, pool: Pool, producer: Producer) -> None:
        self._settings = settings
        self._pool = pool
        self._producer = producer
        self._events = settings.topic(Topic.EVENTS)
        self._seals = settings.topic(Topic.SEALS)
        self._sealers: dict[int, PartitionSealer] = {}
        self._ticked_at: dict[int, float] = {}
        self._fed_at: dict[int, float] = {}

    @property
    def open_windows(self) -> int:
        """Segments that are open in the partitions that this worker owns."""
        return sum(sealer.open_windows for sealer in self._sealers.values())

    # --- batches ------------------------------------------------------------------------------

    async def claimed(self, claim: Fence) -> None:
        """Find out what is open, and when it falls due."""
        partition = claim.key.partition
        outline = await store.outline(self._pool, claim.key.topic, partition)
        sealer = PartitionSealer.asleep(claim.incarnation, partition, outline)
        await self._wake(claim.key, sealer, [], BEGINNING)
        self._sealers[partition] = sealer

    async def prepare(self, batch: Batch) -> Fold | Part:
        """Recall what the batch may touch, and fold it in; a part of it, where much is decided."""
        sealer = self._sealers[batch.fence.key.partition]
        self._fed_at[batch.fence.key.partition] = clock.monotonic()
        try:
            facts_read, append_times = await _read(batch)
            facts = [fact for fact in facts_read if fact is not None]
            until = max(append_times)
            await self._wake(batch.fence.key, sealer, facts, until)
            for history in await store.histories(self._pool, sealer.wants(facts)):
                sealer.recall(history)
            offsets = [record.offset for record in batch.records]
            observed = zip(facts_read, append_times, offsets, strict=True)
            decisions, outgoing = await self._decide(batch.fence.key, sealer, observed)
        except UnknownRule as error:
            raise PartitionStopped(f"{error}; a later release of Parley knows it") from error
        fold = Fold(batch, decisions, outgoing, sealer.changes(), sealer.take_reached())
        count = sealer.applied_offset + 1 - offsets[0]
        return fold if count == len(offsets) else Part(fold, count)

    async def _decide(
        self, key: FenceKey, sealer: PartitionSealer, observed: Iterable[Observed]
    ) -> tuple[list[Decision], list[Outgoing]]:
        """What is decided, and its records: made before the transaction, which must not wait."""
        decisions: list[Decision] = []
        outgoing: list[Outgoing] = []
        for some in sealer.observing(observed, DECIDED_AT_ONCE):
            decisions += some
            outgoing += [self._outgoing(one) for one in some]
            self._fed_at[key.partition] = clock.monotonic()
            await asyncio.sleep(0)
            if len(decisions) >= DECIDED_IN_A_PART:
                break
        return decisions, outgoing

    async def _wake(
        self, key: FenceKey, sealer: PartitionSealer, facts: list[Fact], until: datetime
    ) -> None:
        """Take in what these facts, or the time up to `until`, may touch and still sleeps."""
        holders = await store.holders(self._pool, rejected(facts))
        keys = sealer.waking(facts, until, holders)
        for start in range(0, len(keys), WAKING_AT_ONCE):
            some = keys[start : start + WAKING_AT_ONCE]
            sealer.wake(await store.remembered(self._pool, key.topic, key.partition, some))

    async def apply(self, connection: Connection, work: Fold) -> None:
        """Write the changed rows, and the seals into the outbox."""
        key = work.batch.fence.key
        await store.save(connection, key.topic, key.partition, work.changes)
        await enqueue(connection, key, work.outgoing)

    async def committed(self, work: Fold) -> None:
        """Let go of what is closed: the tables hold it now."""
        partition = work.batch.fence.key.partition
        sealer = self._sealers[partition]
        sealer.forget()
        metrics.OPEN_WINDOWS.labels(str(partition)).set(sealer.open_windows)
        self._fed_at[partition] = clock.monotonic()
        _count(work)

    def released(self, partition: int) -> None:
        """Forget the partition."""
        self._sealers.pop(partition, None)
        self._ticked_at.pop(partition, None)
        self._fed_at.pop(partition, None)
        metrics.forget_partition(partition)

    def _outgoing(self, decision: Decision) -> Outgoing:
        key = event_key(decision.tenant_id, decision.conversation_id)
        return Outgoing(self._seals, key, encode_seal(decision), SEAL_HEADERS)

    # --- ticks --------------------------------------------------------------------------------

    async def tick(self, stop: asyncio.Event) -> None:
        """Write a tick wherever a deadline has passed and no record has moved the time."""
        # Side by side: a partition without a leader must not delay the others' ticks.
        sending: dict[int, asyncio.Task[None]] = {}
        try:
            while not stop.is_set():
                for partition, sealer in self._sealers.items():
                    _observe_time(partition, sealer)
                    if partition not in sending and self._is_tick_due(partition, sealer):
                        sent = self._send_tick(partition, sealer)
                        sending[partition] = asyncio.create_task(sent)
                await asyncio.sleep(LOOK_EVERY_S)
                for partition in [number for number, one in sending.items() if one.done()]:
                    sending.pop(partition).result()
        finally:
            for one in sending.values():
                one.cancel()
            await asyncio.gather(*sending.values(), return_exceptions=True)

    def _is_tick_due(self, partition: int, sealer: PartitionSealer) -> bool:
        deadline = sealer.next_deadline()
        if deadline is None or clock.now() < deadline + self._settings.sealer_tick_delay:
            return False
        if self._is_being_fed(partition):
            return False
        interval = self._settings.sealer_tick_interval.total_seconds()
        ticked_at = self._ticked_at.get(partition)
        return ticked_at is None or clock.monotonic() - ticked_at >= interval

    def _is_being_fed(self, partition: int) -> bool:
        """Whether records come: they move the time themselves, when a backlog is read too."""
        fed_at = self._fed_at.get(partition)
        delay = self._settings.sealer_tick_delay.total_seconds()
        return fed_at is not None and clock.monotonic() - fed_at < delay

    async def _send_tick(self, partition: int, sealer: PartitionSealer) -> None:
        self._ticked_at[partition] = clock.monotonic()
        deadline = sealer.next_deadline()
        if deadline is None:
            return
        value = encode_event(_tick(deadline))
        try:
            await self._producer.send(Outgoing(self._events, None, value, EVENT_HEADERS, partition))
        except KafkaError as error:
            # The next look sends another; meanwhile nothing is sealed, as nothing can be.
            log.warning("tick_failed", partition=partition, error=type(error).__name__)
            return
        metrics.TICKS.inc()


async def _read(batch: Batch) -> tuple[list[Fact | None], list[datetime]]:
    facts: list[Fact | None] = []
    append_times: list[datetime] = []
    for first in range(0, len(batch.records), READ_AT_ONCE):
        # Heartbeats, health and other partitions' transactions want their turn.
        await asyncio.sleep(0)
        some, times = read_all(batch.records[first : first + READ_AT_ONCE])
        facts += some
        append_times += times
    return facts, append_times


def _observe_time(partition: int, sealer: PartitionSealer) -> None:
    now, label = clock.now(), str(partition)
    deadline = sealer.next_deadline()
    overdue_s = 0.0 if deadline is None else (now - deadline).total_seconds()
    metrics.OVERDUE.labels(label).set(max(0.0, overdue_s))
    age = now - sealer.watermark
    # Before the first record there is no time to be behind.
    if age < timedelta(days=36_500):
        metrics.WATERMARK_AGE.labels(label).set(age.total_seconds())
        metrics.WATERMARK.labels(label).set(sealer.watermark.timestamp())
    else:
        metrics.WATERMARK_AGE.labels(label).set(0.0)


def _tick(deadline: datetime) -> Event:
    now = clock.now()
    return Event(ids.random_id(), Tick(deadline), event_time=now, received_at=now)


def _count(work: Fold) -> None:
    now = clock.now()
    for deadline in work.deadlines:
        metrics.SEAL_DELAY.observe((now - deadline).total_seconds())
    for decision in work.decisions:
        if isinstance(decision, SegmentSealed):
            metrics.SEALS.labels(decision.cause.value).inc()
            metrics.REVISIONS.inc(decision.revision > 1)
            metrics.RETRACTIONS.inc(len(decision.retracted))
        else:
            metrics.SETTLED.inc()
