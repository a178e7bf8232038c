"""The loop of the fenced consumer: fetch, check against the fence, one transaction a batch."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from parley import clock, metrics
from parley.codec import LogRecord
from parley.db import fence
from parley.db.errors import is_transient
from parley.db.fence import Fence, FenceHeld, FenceLost
from parley.db.pool import Pool
from parley.log.admin import no_kafka, no_topic
from parley.log.connections import stop_consumer
from parley.log.consumer import group
from parley.log.consumer.batches import Batches
from parley.log.consumer.claims import FIRST_RETRY_S, HELD_RETRY_S, MEND, Claim, Claims, Reader
from parley.log.consumer.handler import (
    Batch,
    BatchHandler,
    Batching,
    PartitionStopped,
    divided,
)
from parley.log.consumer.read_ahead import ReadAhead
from parley.log.consumer.shares import MOST_TRIES, Shares, took_too_long
from parley.log.producer import Producer, RecordTooLarge
from parley.log.records import tail_of
from parley.log.topic_ids import UnknownTopic, topic_incarnation
from parley.settings import Settings
from parley.tracing import TRACING

log = structlog.get_logger(__name__)

LONGEST_RETRY_S: Final = 30.0
HINT_EVERY_S: Final = 1.0
# aiokafka waits for a coordinator as long as it takes; a hint is not worth it.
HINT_TIMEOUT_S: Final = 1.0
LEAVE_TIMEOUT_S: Final = 4.0
# What a batch under way may still take once the service was told to stop.
STOP_TIMEOUT_S: Final = 8.0
# Seeks in a row after which the wanted record is taken for lost.
MOST_MISSES: Final = 5


class FencedConsumer:
    """Runs a handler over a topic, one transaction a batch, exactly once in effect.

    A crash before the COMMIT costs the batch's work, which is read again; a crash after it
    costs Kafka's hint, which nobody relies on. The listener only invalidates claims: aiokafka
    delivers records before it has finished, so each batch is checked against its fence.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        handler: BatchHandler[Any],
        settings: Settings,
        pool: Pool,
        producer: Producer,
        batching: Batching,
        owner: str,
        *,
        is_compacted: bool = False,
    ) -> None:
        """Of a compacted topic offsets may be missing, and so may the last record that was read:
        there any greater offset follows the fence.
        """
        self._reader = Reader(name, topic, owner)
        self._handler = handler
        self._settings = settings
        self._pool = pool
        self._is_compacted = is_compacted
        self._shares = Shares()
        self._hints: dict[TopicPartition, int] = {}
        self._hinted_at = 0.0
        self._kafka = group.member(settings, name, topic)
        self._ahead = ReadAhead(self._kafka, enough=batching.share)
        self._batches = Batches(self._ahead, batching)
        self._claims = Claims(self._reader, handler, self._ahead, self._kafka, pool, producer)

    @property
    def claims(self) -> dict[int, Fence]:
        """The partitions that this worker owns now."""
        return self._claims.fences()

    @property
    def stopped(self) -> dict[int, str]:
        """Partitions that stand still, with the reason."""
        return dict(self._claims.stopped)

    @property
    def waiting(self) -> dict[int, str]:
        """Partitions whose last transaction failed and is tried again: for how long, and why."""
        now_s = clock.monotonic()
        return {
            partition: f"tried again for {now_s - one.since_s:.0f} s: {one.error}"
            for partition, one in sorted(self._claims.waiting.items())
        }

    def ring(self, partition: int) -> None:
        """Say that outbox rows of this partition were committed by somebody else."""
        claim = self._claims.get(partition)
        if claim is not None:
            claim.relay.ring()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop`; raises what nobody knows how to handle, with nothing committed."""
        stopping = asyncio.create_task(stop.wait())
        looping = asyncio.create_task(self._loop(stop))
        try:
            await asyncio.wait({looping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            # A broker that is away may hold a call for long; a batch cut off is rolled back.
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await looping
        except TimeoutError:
            if not looping.cancelled():
                raise
            log.info("stop_cut_short", consumer=self._reader.consumer)
        finally:
            stopping.cancel()
            looping.cancel()
            await asyncio.gather(looping, return_exceptions=True)
            await self._claims.release_all()
            await self._leave()

    async def _loop(self, stop: asyncio.Event) -> None:
        """Batches of several partitions overlap: one is parsed while others are written."""
        await self._start()
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                self._claims.check_relays()
                # A batch under way belongs to a former claim: first it has to end.
                await self._claims.claim_assigned(self._batches.busy_partitions())
                for tp, records in (await self._batches.gather(stop)).items():
                    task = tasks.create_task(self._process_partition(tp, records))
                    self._batches.begin(tp, len(records), task)
                await self._hint()

    async def _leave(self) -> None:
        """Leave the group; with no broker there the group notices by itself."""
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await stop_consumer(self._kafka)
        except TimeoutError:
            log.info("leave_gave_up", consumer=self._reader.consumer)

    async def _start(self) -> None:
        topic = self._reader.topic
        try:
            await self._kafka.start()
            await topic_incarnation(self._kafka._client, topic)
        except (KafkaError, OSError) as error:
            raise no_kafka(self._settings, error) from error
        except UnknownTopic as error:
            raise no_topic(topic) from error
        self._kafka.subscribe([topic], listener=group.Invalidate(self._claims))

    async def _process_partition(self, tp: TopicPartition, fetched: list[LogRecord]) -> None:
        claim = self._claims.get(tp.partition)
        if claim is None:
            # Not ours to read yet; what follows would only be thrown away.
            if tp in self._kafka.assignment():
                self._kafka.pause(tp)
            return
        try:
            expected_tail = claim.expects_tail
            records = self._following(tp, claim, fetched)
            if records:
                batch = Batch(claim.fence, self._shares.cut(tp.partition, records))
                if len(batch.records) < len(records):
                    # The rest may be the log's end, so that nothing more would come to tell of it.
                    self._ahead.seek(tp, batch.last_offset + 1)
                with TRACING.of_batch(self._reader.consumer, batch.records):
                    await self._commit_batch(tp, claim, batch)
            elif expected_tail and not claim.expects_tail:
                # The log is the one that was read, whatever was said of it before.
                await self._claims.go_on(tp.partition)
        except PartitionStopped as error:
            await self._claims.stop(tp.partition, str(error))
        except FenceHeld:
            await self._let_go(tp.partition, claim)
        except FenceLost:
            await self._lose(tp.partition, claim)

    def _following(
        self, tp: TopicPartition, claim: Claim, records: list[LogRecord]
    ) -> list[LogRecord]:
        """The records that follow the fence; none, after a seek, where they do not."""
        if self._is_compacted:
            claim.expects_tail = False
            return [one for one in records if one.offset >= claim.fence.next_offset]
        wanted = claim.wanted_offset
        if records[0].offset != wanted:
            claim.misses += 1
            if claim.misses >= MOST_MISSES:
                raise PartitionStopped(
                    f"offset {wanted} is missing from the log: if its end was lost, {MEND}"
                )
            log.warning("seeking", wanted=wanted, **self._reader.names(tp.partition))
            self._ahead.seek(tp, wanted)
            return []
        claim.misses = 0
        if claim.expects_tail:
            if tail_of(records[0]) != claim.fence.tail:
                raise PartitionStopped(
                    f"the record at offset {wanted} is another than the one that was read: "
                    f"the broker lost the end of its log; {MEND}"
                )
            claim.expects_tail = False
            records = records[1:]
        first = claim.fence.next_offset
        for number, record in enumerate(records):
            # Two fetches need not follow each other: the next round seeks to what comes between,
            # and where the log does not have it stops the partition.
            if record.offset != first + number:
                return records[:number]
        return records

    async def _commit_batch(self, tp: TopicPartition, claim: Claim, batch: Batch) -> None:
        """Write the batch, in parts where its handler makes some."""
        rest = await self._commit_part(tp, claim, batch)
        while rest:
            rest = await self._commit_part(tp, claim, Batch(claim.fence, rest))

    async def _commit_part(
        self, tp: TopicPartition, claim: Claim, batch: Batch
    ) -> Sequence[LogRecord]:
        """Returns the records that are still to be written by this claim."""
        started_at = clock.monotonic()
        claim.waits_since = batch.records[0].broker_time
        try:
            part, work, rest = divided(batch, await self._prepare(claim, batch))
            moved = await self._apply(claim, part, work)
        except (PartitionStopped, FenceLost):
            raise
        except RecordTooLarge as error:
            raise PartitionStopped(f"what would follow this batch is {error}") from error
        except Exception as error:
            if took_too_long(error):
                most = self._shares.halve(tp.partition, batch.records)
                log.warning("batch_halved", records=most, **self._reader.names(tp.partition))
            # What memory holds may be ahead of the tables now: claim again and restore it.
            await self._claims.release([tp.partition])
            if not is_transient(error):
                raise
            self._claims.note_retry(tp.partition, error)
            self._claims.wait(tp.partition, FIRST_RETRY_S)
            return ()
        self._claims.note_progress(tp.partition)
        self._shares.grow(tp.partition, part.records)
        self._hints[tp] = moved.next_offset
        metrics.BATCH_RECORDS.labels(self._reader.consumer).observe(len(part.records))
        metrics.BATCH_SECONDS.labels(self._reader.consumer).observe(clock.monotonic() - started_at)
        if self._claims.get(tp.partition) is not claim:
            return ()
        claim.fence = moved
        # What follows was appended later: until it is fetched this is the most it can wait.
        is_behind = (self._end(tp) or 0) > moved.next_offset
        claim.waits_since = batch.records[-1].broker_time if is_behind else None
        claim.relay.ring()
        await self._handler.committed(work)
        return rest

    async def _prepare(self, claim: Claim, batch: Batch) -> Any:
        """What the handler makes of the batch; raises FenceLost where the tables are another's.

        A former owner's memory may contradict tables that the present one has moved on; and what a
        handler keeps for a partition is gone once a rebalance has released it.
        """
        try:
            return await self._handler.prepare(batch)
        except Exception as error:
            if self._claims.get(batch.fence.key.partition) is not claim:
                raise FenceLost("released while a batch was prepared") from error
            if not is_transient(error):
                await self._has_committed(batch)
            raise

    async def _apply(self, claim: Claim, batch: Batch, work: Any) -> Fence:
        """Write the batch; the same again, for ever, while the database is away.

        One that the server ends each time because it takes too long is raised, to be made smaller.
        """
        retry_s = FIRST_RETRY_S
        is_unsure = False
        tries_left = MOST_TRIES
        while True:
            try:
                # The COMMIT may have happened although its reply was lost.
                if is_unsure and await self._has_committed(batch):
                    return batch.fence.after(batch.last_offset, batch.tail)
                return await self._transaction(batch, work)
            except Exception as error:
                partition = batch.fence.key.partition
                if not is_transient(error):
                    raise
                if self._claims.get(partition) is not claim:
                    raise FenceLost("released while the database was away") from error
                tries_left -= took_too_long(error)
                if not tries_left and len(batch.records) > 1:
                    raise
                # A fence that does not move cannot tell: what the tables say is read anew.
                if not batch.records:
                    raise
                self._claims.note_retry(partition, error)
                is_unsure = True
                await asyncio.sleep(retry_s)
                retry_s = min(retry_s * 2, LONGEST_RETRY_S)

    async def _has_committed(self, batch: Batch) -> bool:
        return await fence.has_committed(self._pool, batch.fence, batch.last_offset)

    async def _transaction(self, batch: Batch, work: Any) -> Fence:
        async with self._pool.acquire() as connection, connection.transaction():
            moved = await fence.advance(connection, batch.fence, batch.last_offset, batch.tail)
            await self._handler.apply(connection, work)
            return moved

    async def _let_go(self, partition: int, claim: Claim) -> None:
        """Tables are being swapped: what memory holds is of the former ones."""
        log.info("fence_held", **self._reader.names(partition))
        if self._claims.get(partition) is claim:
            await self._claims.release([partition])
            self._claims.wait(partition, HELD_RETRY_S)

    async def _lose(self, partition: int, claim: Claim) -> None:
        metrics.FENCE_LOSSES.labels(self._reader.consumer).inc()
        log.warning("fence_lost", **self._reader.names(partition))
        # Where a rebalance released it meanwhile, the next claim is that rebalance's.
        if self._claims.get(partition) is not claim:
            return
        await self._claims.release([partition])
        # The next assignment clears this. If none comes, this worker is the rightful owner and
        # a late claim of a former one fenced it: that one is evicted within a session timeout.
        self._claims.wait(partition, 2 * self._settings.session_timeout.total_seconds())

    async def _hint(self) -> None:
        """Tell Kafka where the tables stand, for lag monitors; failures cost nothing."""
        if clock.monotonic() - self._hinted_at < HINT_EVERY_S:
            return
        self._hinted_at = clock.monotonic()
        self._observe_lag()
        owned = {tp: offset for tp, offset in self._hints.items() if self._claims.get(tp.partition)}
        self._hints.clear()
        if not owned:
            return
        try:
            async with asyncio.timeout(HINT_TIMEOUT_S):
                await self._kafka.commit(owned)
        except (KafkaError, TimeoutError) as error:
            log.info("hint_refused", consumer=self._reader.consumer, error=type(error).__name__)

    def _observe_lag(self) -> None:
        now = clock.now()
        for partition in self._claims.fences():
            claim = self._claims.get(partition)
            end = self._end(TopicPartition(self._reader.topic, partition))
            if claim is None or end is None:
                continue
            labels = (self._reader.consumer, self._reader.topic, str(partition))
            metrics.CONSUMER_LAG.labels(*labels).set(max(0, end - claim.fence.next_offset))
            since = claim.waits_since
            lag_s = 0.0 if since is None else (now - since).total_seconds()
            metrics.CONSUMER_LAG_SECONDS.labels(*labels).set(max(0.0, lag_s))

    def _end(self, tp: TopicPartition) -> int | None:
        """Where the partition ends, as far as the last fetch told."""
        end: int | None = self._kafka.highwater(tp)
        return end
