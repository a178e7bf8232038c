"""Reads one topic for one consumer's tables, without a group, up to exactly the wanted offsets."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import takewhile
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.db import fence
from parley.db.errors import is_transient
from parley.db.fence import Fence, FenceKey, FenceLost, OtherIncarnation
from parley.db.pool import Pool
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import incarnation_of, no_kafka
from parley.log.connections import stop_consumer
from parley.log.consumer.handler import Batch, BatchHandler, PartitionStopped, divided
from parley.log.log_consumer import LogConsumer
from parley.settings import Settings

log = structlog.get_logger(__name__)

# Large batches pay for their statements, and what goes on for long is written less often; each is
# far below the database's time limits. Of large records fewer make a batch: a fetch is 4 MiB.
BATCH_RECORDS: Final = 10_000
BATCH_FETCHES: Final = 4
# Partitions at work at once: while one is written the next is parsed.
PARTITIONS_AT_ONCE: Final = 4
FETCH_MS: Final = 500
STALL: Final = timedelta(seconds=30)
RETRY_S: Final = 0.5
MOST_RETRIES: Final = 8

Progress = Callable[[int], None]
"""Told how many records more are in the tables."""


class _Rewound(Exception):
    """The fence is ours and stands elsewhere: a crash took along what was said to be committed.

    A replay's transactions are not durable at once.
    """


class Replay:
    """A consumer's handler over its whole topic; the fences beside its tables say how far it is.

    Nothing is published: what would follow a batch stays in the outbox of the replayed tables. A
    replay that is killed goes on at its fences.
    """

    def __init__(
        self,
        name: str,
        topic: str,
        handler: BatchHandler[Any],
        settings: Settings,
        pool: Pool,
        owner: str,
    ) -> None:
        self.name = name
        self.topic = topic
        self._handler = handler
        self._settings = settings
        self._pool = pool
        self._owner = owner
        self._incarnation = ""
        self._fences: dict[TopicPartition, Fence] = {}
        self._gate = asyncio.Semaphore(PARTITIONS_AT_ONCE)
        self._kafka = LogConsumer(
            **kafka_options(settings),
            client_id=f"parley-replay-{name}",
        )

    async def start(self) -> None:
        """Claim every partition; raises UserError where the log cannot be replayed."""
        try:
            await self._kafka.start()
        except (KafkaError, OSError) as error:
            raise no_kafka(self._settings, error) from error
        self._incarnation = await incarnation_of(self._settings, self.topic)
        await self._kafka._client.force_metadata_update()
        partitions = [
            TopicPartition(self.topic, one)
            for one in sorted(self._kafka.partitions_for_topic(self.topic) or ())
        ]
        self._kafka.assign(partitions)
        for tp in partitions:
            await self._claim(tp)

    async def stop(self) -> None:
        """Let go of Kafka."""
        await stop_consumer(self._kafka)

    async def run_to(self, ends: Mapping[int, int], progress: Progress) -> None:
        """Return once the tables hold each partition up to its end; those ahead stay as they are.

        Raises UserError where that is not possible.
        """
        async with asyncio.TaskGroup() as group:
            for tp, fenced in self._fences.items():
                end = ends.get(tp.partition, 0)
                if fenced.next_offset < end:
                    self._kafka.seek(tp, fenced.next_offset)
                    group.create_task(self._run_partition(tp, end, progress))

    async def _run_partition(self, tp: TopicPartition, end: int, progress: Progress) -> None:
        await self._check_beginning(tp)
        retries = 0
        while self._fences[tp].next_offset < end:
            async with self._gate:
                records = await self._fetch(tp, end)
                try:
                    await self._write(tp, records)
                except Exception as error:
                    retries += 1
                    may_pass = isinstance(error, _Rewound) or is_transient(error)
                    if not may_pass or retries > MOST_RETRIES:
                        raise
                    await self._begin_again(tp, error, retries)
                    continue
            retries = 0
            progress(len(records))

    async def _fetch(self, tp: TopicPartition, end: int) -> list[LogRecord]:
        """The next records below the end; raises UserError where none comes, or another."""
        wanted = self._fences[tp].next_offset
        most = min(BATCH_RECORDS, end - wanted)
        records: list[LogRecord] = []
        for _ in range(BATCH_FETCHES):
            records += await self._fetch_some(tp, wanted + len(records), most - len(records))
            if len(records) == most:
                break
        return records

    async def _fetch_some(self, tp: TopicPartition, wanted: int, most: int) -> list[LogRecord]:
        try:
            async with asyncio.timeout(STALL.total_seconds()):
                while True:
                    found = await self._kafka.getmany(tp, timeout_ms=FETCH_MS, max_records=most)
                    fetched = found.get(tp, [])
                    if fetched and fetched[0].offset == wanted:
                        return _without_gap(fetched, wanted)
                    if fetched:
                        self._kafka.seek(tp, wanted)
        except TimeoutError as error:
            raise _missing(tp, wanted) from error

    async def _write(self, tp: TopicPartition, records: Sequence[LogRecord]) -> None:
        """A batch with its fence, in one transaction; a crash before its COMMIT costs the batch.

        Where the handler makes parts of it, each has a transaction of its own.
        """
        while records:
            records = await self._write_part(tp, records)

    async def _write_part(
        self, tp: TopicPartition, records: Sequence[LogRecord]
    ) -> Sequence[LogRecord]:
        fenced = self._fences[tp]
        batch = Batch(fenced, records)
        try:
            part, work, rest = divided(batch, await self._handler.prepare(batch))
            async with self._pool.acquire() as connection, connection.transaction():
                moved = await fence.advance(connection, fenced, part.last_offset, part.tail)
                await self._handler.apply(connection, work)
        except PartitionStopped as error:
            raise UserError(f"The replay of {tp.topic}/{tp.partition} stopped: {error}.") from error
        except FenceLost as error:
            if await fence.is_ours(self._pool, fenced):
                raise _Rewound from error
            raise _another_runs() from error
        self._fences[tp] = moved
        await self._handler.committed(work)
        return rest

    async def _begin_again(self, tp: TopicPartition, error: Exception, retries: int) -> None:
        """Go on from what the tables say: the last batch's COMMIT may have taken place."""
        log.info("replay_retries", error=type(error).__name__, partition=tp.partition)
        await asyncio.sleep(RETRY_S * retries)
        self._handler.released(tp.partition)
        await self._claim(tp)
        self._kafka.seek(tp, self._fences[tp].next_offset)

    async def _claim(self, tp: TopicPartition) -> None:
        key = FenceKey(self.name, self.topic, tp.partition)
        try:
            fenced = await fence.claim(self._pool, key, self._incarnation, self._owner)
        except OtherIncarnation as error:
            raise UserError(
                f"{self.topic} was made anew since this replay began.",
                "Begin again from offset 0 with `parley rebuild --anew`.",
            ) from error
        await self._handler.claimed(fenced)
        self._fences[tp] = fenced

    async def _check_beginning(self, tp: TopicPartition) -> None:
        """Only of what is to be read: a partition that nobody asks for may begin anywhere."""
        beginnings = await self._kafka.beginning_offsets([tp])
        if self._fences[tp].next_offset < beginnings[tp]:
            raise begins_late(self.topic, tp.partition, beginnings[tp])


def _without_gap(fetched: Sequence[LogRecord], first: int) -> list[LogRecord]:
    """The records up to where one is missing: two fetches need not follow each other."""
    # Nearly always none is, and then the last lies where it must.
    if fetched[-1].offset == first + len(fetched) - 1:
        return list(fetched)
    following = takewhile(lambda one: one[1].offset == one[0], enumerate(fetched, first))
    return [one for _, one in following]


def begins_late(topic: str, partition: int, beginning: int) -> UserError:
    """What to tell somebody whose log lost its beginning."""
    return UserError(
        f"{topic}/{partition} begins at offset {beginning}: the log alone cannot give the tables.",
        "Restore a dump that was made before its beginning was deleted, with pg_restore into an "
        "empty database, and start the services: they read on from where the dump stands.",
    )


def _missing(tp: TopicPartition, offset: int) -> UserError:
    return UserError(
        f"Offset {offset} of {tp.topic}/{tp.partition} did not come.",
        "See with `parley doctor` what is wrong with Kafka, and run the command again.",
    )


def _another_runs() -> UserError:
    return UserError("Another replay writes into the same tables.", "Wait until it has ended.")
