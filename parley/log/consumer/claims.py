"""Which partitions this worker owns: claimed at the fence, until a rebalance or another owner."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from parley import clock, metrics
from parley.db import fence
from parley.db.errors import describe, is_transient
from parley.db.fence import Fence, FenceHeld, FenceKey, OtherIncarnation, OtherTopic
from parley.db.outbox import Relay
from parley.db.pool import Pool
from parley.log.consumer.handler import BatchHandler, PartitionStopped
from parley.log.consumer.read_ahead import ReadAhead
from parley.log.producer import Producer
from parley.log.topic_ids import UnknownTopic, topic_incarnation

log = structlog.get_logger(__name__)

FIRST_RETRY_S: Final = 1.0
HELD_RETRY_S: Final = 1.0
# A stopped partition is looked at again: somebody may have mended the topic.
STOPPED_RETRY_S: Final = 60.0
MEND: Final = "stop the gateways and run `parley topics repair` (docs/topics.md)"
ANOTHER_TOPIC: Final = (
    "the topic was made anew since this database read it; restore the topic, or empty the database"
)


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads what, and as which owner."""

    consumer: str
    topic: str
    owner: str

    def key(self, partition: int) -> FenceKey:
        """The fence of one partition."""
        return FenceKey(self.consumer, self.topic, partition)

    def names(self, partition: int) -> dict[str, Any]:
        """What a log line says of a partition."""
        return {"consumer": self.consumer, "topic": self.topic, "partition": partition}


@dataclass(frozen=True, slots=True)
class Waiting:
    """A partition that is tried again and again: since when (monotonic), and why at last."""

    since_s: float
    error: str


@dataclass(slots=True)
class Claim:
    """One partition that this worker owns, with the relay of its outbox."""

    fence: Fence
    relay: Relay
    relaying: asyncio.Task[None]
    # The record before the fence comes first, to see that the log still has it.
    expects_tail: bool
    # When the broker appended the oldest record that is known to wait; None where none is.
    waits_since: datetime | None = None
    # Batches in a row that began elsewhere than at the wanted offset.
    misses: int = 0

    @property
    def wanted_offset(self) -> int:
        """The offset of the record that must come next."""
        return self.fence.next_offset - (1 if self.expects_tail else 0)


class Claims:
    """Claims partitions once they are assigned, and lets them go."""

    def __init__(
        self,
        reader: Reader,
        handler: BatchHandler[Any],
        ahead: ReadAhead,
        kafka: Any,
        pool: Pool,
        producer: Producer,
    ) -> None:
        self.stopped: dict[int, str] = {}
        self.waiting: dict[int, Waiting] = {}
        self._reader = reader
        self._handler = handler
        self._ahead = ahead
        self._kafka = kafka
        self._pool = pool
        self._producer = producer
        self._owned: dict[int, Claim] = {}
        # Partitions not to be claimed before this moment: fenced by another, held, or stopped.
        self._not_before: dict[int, float] = {}

    def get(self, partition: int) -> Claim | None:
        """The claim on a partition, if there is one."""
        return self._owned.get(partition)

    def fences(self) -> dict[int, Fence]:
        """Where the partitions that are owned stand."""
        return {partition: claim.fence for partition, claim in self._owned.items()}

    def check_relays(self) -> None:
        """Raise what ended a relay: it never ends by itself."""
        for claim in self._owned.values():
            if claim.relaying.done():
                claim.relaying.result()

    async def claim_assigned(self, busy: Set[int]) -> None:
        """Claim what the group gave this worker and it does not own yet.

        Not what is `busy` with a batch of a former claim: its work must not meet the new one's.
        """
        assigned = sorted(self._kafka.assignment())
        wanted = [
            tp for tp in assigned if tp.partition not in busy and self._may_claim(tp.partition)
        ]
        if not wanted:
            return
        try:
            # First Kafka: one that is cut off from it must not fence a worker that is not.
            incarnation = await topic_incarnation(self._kafka._client, self._reader.topic)
        except (KafkaError, UnknownTopic) as error:
            for tp in wanted:
                self._retry_later(tp.partition, error)
            return
        claimed: dict[TopicPartition, Fence] = {}
        for tp in wanted:
            async with self._waiting_out(tp):
                key = self._reader.key(tp.partition)
                claimed[tp] = await fence.claim(self._pool, key, incarnation, self._reader.owner)
        if claimed:
            await self._own(claimed)

    def _may_claim(self, partition: int) -> bool:
        ready_at = self._not_before.get(partition, 0.0)
        return partition not in self._owned and clock.monotonic() >= ready_at

    async def _own(self, claimed: dict[TopicPartition, Fence]) -> None:
        try:
            # After the fences: a former owner may have moved them until then.
            beginnings, ends = await asyncio.gather(
                self._kafka.beginning_offsets(list(claimed)),
                self._kafka.end_offsets(list(claimed)),
            )
        except KafkaError as error:
            for tp in claimed:
                self._retry_later(tp.partition, error)
            return
        for tp, fenced in claimed.items():
            async with self._waiting_out(tp):
                _check_log(fenced, beginnings[tp], ends[tp])
                await self._begin(tp, fenced, beginnings[tp])

    @asynccontextmanager
    async def _waiting_out(self, tp: TopicPartition) -> AsyncIterator[None]:
        """Try a partition again later where what fails may pass; others are not delayed by it."""
        try:
            yield
        except PartitionStopped as error:
            await self.stop(tp.partition, str(error))
        except OtherTopic as error:
            await self.stop(
                tp.partition,
                f"this database follows {error.topic}, not {tp.topic}: start every service with "
                "the same PARLEY_TOPIC_NAMES (docs/topics.md)",
            )
        except OtherIncarnation:
            await self.stop(tp.partition, ANOTHER_TOPIC)
        except FenceHeld:
            self.wait(tp.partition, HELD_RETRY_S)
        except Exception as error:
            if not (isinstance(error, KafkaError) or is_transient(error)):
                raise
            self._retry_later(tp.partition, error)

    def _retry_later(self, partition: int, error: Exception) -> None:
        self.note_retry(partition, error)
        self.wait(partition, FIRST_RETRY_S)

    async def _begin(self, tp: TopicPartition, fenced: Fence, beginning: int) -> None:
        await self._handler.claimed(fenced)
        if tp not in self._kafka.assignment():
            self._handler.released(tp.partition)
            return
        key = fenced.key
        relay = Relay(self._pool, self._producer, key)
        name = f"relay-{key.consumer}-{key.partition}"
        relaying = asyncio.create_task(relay.run(), name=name)
        has_tail = fenced.tail is not None and beginning < fenced.next_offset
        claim = Claim(fenced, relay, relaying, expects_tail=has_tail)
        self._owned[tp.partition] = claim
        self._count_stopped(tp.partition, None)
        self.note_progress(tp.partition)
        self._ahead.seek(tp, claim.wanted_offset)
        self._kafka.resume(tp)
        log.info("partition_claimed", offset=fenced.next_offset, **self._names(tp.partition))
        if not has_tail:
            await self.go_on(tp.partition)

    async def release(self, partitions: list[int]) -> None:
        """Forget these partitions; whoever owns them next goes on from the fence."""
        for partition in partitions:
            claim = self._owned.pop(partition, None)
            if claim is None:
                continue
            self._handler.released(partition)
            claim.relaying.cancel()
            await asyncio.gather(claim.relaying, return_exceptions=True)
            metrics.forget_partition(self._reader.consumer, self._reader.topic, partition)

    async def release_all(self) -> None:
        """A rebalance began or ended: nothing that memory holds counts any more."""
        self._not_before.clear()
        self.stopped.clear()
        self.waiting.clear()
        metrics.PARTITIONS_STOPPED.labels(self._reader.consumer).set(0)
        metrics.PARTITIONS_WAITING.labels(self._reader.consumer).set(0)
        await self.release(list(self._owned))

    async def stop(self, partition: int, reason: str) -> None:
        """Let the partition stand still, and say why in its fence."""
        log.error("partition_stopped", reason=reason, **self._names(partition))
        self._count_stopped(partition, reason)
        await self.release([partition])
        self.wait(partition, STOPPED_RETRY_S)
        # The log line and the metric have said it; the next look writes it down.
        await self._note(
            partition, fence.record_stop(self._pool, self._reader.key(partition), reason)
        )

    async def go_on(self, partition: int) -> None:
        """Take back in the fence what a former stop has left there."""
        # The next batch takes it back as well.
        await self._note(partition, fence.clear_stop(self._pool, self._reader.key(partition)))

    async def _note(self, partition: int, writing: Awaitable[None]) -> None:
        """Write something that is of no consequence while the database is away."""
        try:
            await writing
        except Exception as error:
            if not is_transient(error):
                raise
            self.note_retry(partition, error)

    def wait(self, partition: int, seconds: float) -> None:
        """Do not claim the partition for a while, unless it is assigned anew."""
        self._not_before[partition] = clock.monotonic() + seconds

    def note_retry(self, partition: int, error: Exception) -> None:
        """Count, log and remember an error that passes by itself."""
        metrics.RETRIES.labels(self._reader.consumer).inc()
        log.warning("retrying", error=type(error).__name__, **self._names(partition))
        former = self.waiting.get(partition)
        since_s = clock.monotonic() if former is None else former.since_s
        self.waiting[partition] = Waiting(since_s, describe(error))
        metrics.PARTITIONS_WAITING.labels(self._reader.consumer).set(len(self.waiting))

    def note_progress(self, partition: int) -> None:
        """What was tried has worked."""
        if self.waiting.pop(partition, None) is not None:
            metrics.PARTITIONS_WAITING.labels(self._reader.consumer).set(len(self.waiting))

    def _count_stopped(self, partition: int, reason: str | None) -> None:
        if reason is None:
            self.stopped.pop(partition, None)
        else:
            self.stopped[partition] = reason
        metrics.PARTITIONS_STOPPED.labels(self._reader.consumer).set(len(self.stopped))

    def _names(self, partition: int) -> dict[str, Any]:
        return self._reader.names(partition)


def _check_log(fenced: Fence, beginning: int, end: int) -> None:
    where = f"the fence is at offset {fenced.next_offset}, but the log holds {beginning} to {end}"
    if fenced.next_offset < beginning:
        raise PartitionStopped(
            f"{where}: records are missing from it, which retention deleted before they were "
            "read (docs/topics.md)"
        )
    if fenced.next_offset > end:
        raise PartitionStopped(
            f"{where}: records are missing from it, the broker lost its end; {MEND}"
        )
