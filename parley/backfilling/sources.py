"""Reads seals of the past: from parley.seals.v1 without a group, or from the stored segments."""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley.backfilling.core import Found
from parley.backfilling.order import Merge, Span
from parley.codec import InvalidRecord, LogRecord, decode_seal, event_key
from parley.db.pool import Pool
from parley.db.sql import load
from parley.errors import UserError
from parley.log.access import kafka_options
from parley.log.admin import no_kafka
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import partition_of

_SQL: Final = load(__package__)

BLOCK_RECORDS: Final = 500
FETCH_MS: Final = 200
STALL_S: Final = 30.0


class Source(Protocol):
    """Where the seals of a run come from, in the order in which they are taken."""

    async def start(self) -> None:
        """Get hold of it; raises UserError."""
        ...

    async def peek(self, count: int) -> Sequence[Found]:
        """Up to `count` of the next; none at the end. Raises UserError where they do not come."""
        ...

    def drop(self, count: int) -> None:
        """So many of those are done."""
        ...

    async def stop(self) -> None:
        """Let go of it."""
        ...


class LogSource:
    """Spans of the seals topic, oldest or newest first.

    Newest first, a partition is read backwards in blocks, each of them forwards: Kafka knows no
    other way. One block of each partition is held at most.
    """

    def __init__(
        self, settings: Settings, topic: str, spans: Mapping[int, Span], *, newest_first: bool
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._newest_first = newest_first
        self._left = {number: span for number, span in spans.items() if not span.is_empty}
        self._merge = Merge(self._left, newest_first=newest_first)
        self._next: deque[Found] = deque()
        self._kafka = AIOKafkaConsumer(
            **kafka_options(settings),
            client_id="parley-backfill",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )

    async def start(self) -> None:
        """Connect; raises UserError."""
        try:
            await self._kafka.start()
        except (KafkaError, OSError) as error:
            await self.stop()
            raise no_kafka(self._settings, error) from error
        self._kafka.assign([TopicPartition(self._topic, number) for number in sorted(self._left)])
        self._kafka.pause(*self._kafka.assignment())

    async def stop(self) -> None:
        """Let go of Kafka."""
        await stop_consumer(self._kafka)

    async def peek(self, count: int) -> Sequence[Found]:
        """The next records in order, those that are no segments among them."""
        while len(self._next) < count:
            for number in self._merge.hungry:
                await self._feed(number)
            if self._merge.is_empty:
                break
            self._next.append(self._merge.take())
        return [self._next[place] for place in range(min(count, len(self._next)))]

    def drop(self, count: int) -> None:
        """So many of those are done."""
        for _ in range(count):
            self._next.popleft()

    async def _feed(self, number: int) -> None:
        """The partition's next block, or that it has none."""
        span = self._left[number]
        if span.is_empty:
            self._merge.finish(number)
        elif self._newest_first:
            begin = max(span.begin, span.end - BLOCK_RECORDS)
            self._left[number] = Span(span.begin, begin)
            self._merge.add(number, reversed(await self._read(number, Span(begin, span.end))))
        else:
            end = min(span.end, span.begin + BLOCK_RECORDS)
            self._left[number] = Span(end, span.end)
            self._merge.add(number, await self._read(number, Span(span.begin, end)))

    async def _read(self, number: int, span: Span) -> list[Found]:
        """Exactly these records; raises UserError where one does not come."""
        tp = TopicPartition(self._topic, number)
        found: list[Found] = []
        self._kafka.seek(tp, span.begin)
        self._kafka.resume(tp)
        try:
            async with asyncio.timeout(STALL_S):
                while len(found) < span.end - span.begin:
                    records = await self._fetch(tp)
                    self._take(found, records, span)
        except TimeoutError as error:
            raise missing(self._topic, number, span.begin + len(found)) from error
        except (KafkaError, OSError) as error:
            raise no_kafka(self._settings, error) from error
        finally:
            self._kafka.pause(tp)
        return found

    def _take(self, found: list[Found], records: Sequence[Any], span: Span) -> None:
        for one in records:
            wanted = span.begin + len(found)
            if one.offset > wanted and wanted < span.end:
                raise missing(self._topic, one.partition, wanted)
            # What a fetch from before the last seek still brought is passed over.
            if one.offset == wanted and wanted < span.end:
                found.append(found_in(to_log_record(one)))

    async def _fetch(self, tp: TopicPartition) -> list[Any]:
        fetched = await self._kafka.getmany(tp, timeout_ms=FETCH_MS, max_records=BLOCK_RECORDS)
        records: list[Any] = fetched.get(tp, [])
        return records


class SegmentsSource:
    """The current segments as the tables hold them, by when they were sealed, up to a moment.

    `cursor` names the last one that was passed. Each comes with the partition of the seals topic
    that its conversation has there, and with no offset.
    """

    def __init__(
        self,
        pool: Pool,
        sealed_before: datetime,
        partition_count: int,
        cursor: str | None,
        *,
        newest_first: bool,
    ) -> None:
        self._pool = pool
        self._partition_count = partition_count
        self._sealed_before = sealed_before
        self._cursor = cursor
        self._query = _SQL["newest_segments" if newest_first else "oldest_segments"]
        self._next: deque[Found] = deque()
        self._is_over = False

    async def start(self) -> None:
        """The pool is open."""

    async def stop(self) -> None:
        """The pool is somebody else's."""

    async def peek(self, count: int) -> Sequence[Found]:
        """The next segments in order."""
        while len(self._next) < count and not self._is_over:
            rows = await self._pool.fetch(
                self._query, self._sealed_before, *_place(self._cursor), BLOCK_RECORDS
            )
            self._is_over = len(rows) < BLOCK_RECORDS
            self._next.extend(self._found(row) for row in rows)
            if rows:
                self._cursor = cursor_of(self._next[-1])
        return [self._next[place] for place in range(min(count, len(self._next)))]

    def drop(self, count: int) -> None:
        """So many of those are done."""
        for _ in range(count):
            self._next.popleft()

    def _found(self, row: Any) -> Found:
        sealed = _sealed_in(row)
        key = event_key(sealed.tenant_id, sealed.conversation_id)
        return Found(partition_of(key, self._partition_count), -1, row["sealed_at"], sealed)


def found_in(record: LogRecord) -> Found:
    """What a record is to a backfill; the persister keeps what is no valid seal."""
    place = (record.partition, record.offset)
    try:
        sealed_at, seal = record.append_time(), decode_seal(record.value)
    except InvalidRecord:
        return Found(*place, record.broker_time, None)
    return Found(*place, sealed_at, seal if isinstance(seal, SegmentSealed) else None)


def missing(topic: str, partition: int, offset: int) -> UserError:
    """What to tell of a record that does not come."""
    return UserError(
        f"Offset {offset} of {topic}/{partition} did not come.",
        "See with `parley doctor` what is wrong with Kafka.",
    )


def cursor_of(found: Found) -> str:
    """Names a segment's place in the order by seal time."""
    assert found.sealed is not None  # noqa: S101 - the tables hold segments alone
    return orjson.dumps([found.sealed_at, found.sealed.tenant_id, found.sealed.segment_id]).decode()


def _place(cursor: str | None) -> tuple[datetime | None, str | None, str | None]:
    if cursor is None:
        return None, None, None
    sealed_at, tenant_id, segment_id = orjson.loads(cursor)
    return datetime.fromisoformat(sealed_at), tenant_id, segment_id


def _sealed_in(row: Any) -> SegmentSealed:
    return SegmentSealed(
        tenant_id=row["tenant_id"],
        conversation_id=row["conversation_id"],
        segment_id=str(row["segment_id"]),
        revision=row["revision"],
        previous_revision=row["previous_revision"],
        cause=SealCause(row["cause"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        first_event_id=str(row["first_event_id"]),
        last_event_id=str(row["last_event_id"]),
        message_count=row["message_count"],
        member_digest=row["member_digest"],
        first_offset=row["first_offset"],
        last_offset=row["last_offset"],
        incarnation=row["incarnation"],
        partition=row["partition"],
        decided_offset=row["decided_offset"],
        watermark=row["watermark"],
        policy_id=row["policy_id"],
        policy_version=row["policy_version"],
        rule_version=row["rule_version"],
        opening_event_id=str(row["opening_event_id"]),
        channel=row["channel"],
        participants=tuple(row["participants"]),
        user_ids=tuple(row["user_ids"]),
    )
