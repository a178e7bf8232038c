"""Reads records of a topic for a person: from where, which, how many, and whether to go on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from parley.codec import LogRecord, event_key
from parley.log.access import kafka_options
from parley.log.admin import PartitionEnds, topic_ends
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.settings import Settings
from parley.topics import Topic, partition_of

_POLL_MS: Final = 250


@dataclass(frozen=True, slots=True)
class FromEnd:
    """Begin with the last records, as many as are asked for."""


@dataclass(frozen=True, slots=True)
class FromBeginning:
    """Begin with the oldest record that the topic has."""


Where = FromEnd | FromBeginning | datetime


@dataclass(frozen=True, slots=True)
class Selection:
    """Which records; None lets all pass. Records of a whole partition have neither."""

    tenant_id: str | None = None
    conversation_id: str | None = None

    def holds(self, record: LogRecord) -> bool:
        """Whether the record is one of them, by its key."""
        if self.tenant_id is None and self.conversation_id is None:
            return True
        tenant_id, _, conversation_id = (record.key or b"").partition(b"\0")
        return (self.tenant_id is None or tenant_id == self.tenant_id.encode()) and (
            self.conversation_id is None or conversation_id == self.conversation_id.encode()
        )

    def holds_all(self) -> bool:
        """Whether nothing is left out."""
        return self.tenant_id is None and self.conversation_id is None


@dataclass(frozen=True, slots=True)
class Request:
    """What to read; `limit` None is no limit, and for `FromEnd` none of the old records."""

    topic: Topic
    where: Where
    selection: Selection = Selection()
    limit: int | None = None
    follow: bool = False


async def read(settings: Settings, request: Request) -> AsyncIterator[LogRecord]:
    """The records asked for; ends at the topic's present end unless it is to follow.

    Raises UserError without a broker or the topic, KafkaError when the broker goes away.
    """
    name = settings.topic(request.topic)
    ends = _relevant(await topic_ends(settings, name), request)
    async with _consumer(settings) as consumer:
        consumer.assign([TopicPartition(name, one.partition) for one in ends])
        reading = _Reading(consumer, name, ends, request)
        async for record in reading.records():
            yield record


def _relevant(ends: list[PartitionEnds], request: Request) -> list[PartitionEnds]:
    """The one partition of a conversation that is named whole, otherwise all."""
    chosen = request.selection
    is_keyed_alike = request.topic not in (Topic.CONFIG, Topic.DEAD_LETTERS)
    if chosen.tenant_id is None or chosen.conversation_id is None or not is_keyed_alike:
        return ends
    key = event_key(chosen.tenant_id, chosen.conversation_id)
    return [ends[partition_of(key, len(ends))]]


@asynccontextmanager
async def _consumer(settings: Settings) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        **kafka_options(settings),
        client_id="parley-tail",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    # aiokafka's stop() fails while a task that start() made has not had its first turn.
    await asyncio.sleep(0)
    try:
        yield consumer
    finally:
        await stop_consumer(consumer)


class _Reading:
    """One pass over the partitions of a topic."""

    def __init__(
        self, consumer: Any, topic: str, ends: list[PartitionEnds], request: Request
    ) -> None:
        self._consumer = consumer
        self._ends = {TopicPartition(topic, one.partition): one for one in ends}
        self._request = request

    async def records(self) -> AsyncIterator[LogRecord]:
        if isinstance(self._request.where, FromEnd):
            async for record in self._from_end():
                yield record
            return
        await self._seek()
        left = self._request.limit
        async for record in self._chosen(follow=self._request.follow):
            if left is not None and left <= 0:
                return
            yield record
            left = None if left is None else left - 1
            if left == 0:
                return

    async def _from_end(self) -> AsyncIterator[LogRecord]:
        """The last records of all partitions by append time, then what comes after them."""
        limit = self._request.limit or 0
        for tp, ends in self._ends.items():
            # With a selection nobody knows how far back its last records lie.
            is_whole = self._request.selection.holds_all()
            start = max(ends.beginning, ends.end - limit) if is_whole else ends.beginning
            self._consumer.seek(tp, start if limit else ends.end)
        last: list[LogRecord] = []
        async for record in self._chosen(follow=False):
            last.append(record)
            if len(last) > 2 * limit:
                last = sorted(last, key=_when)[-limit:]
        for record in sorted(last, key=_when)[-limit:]:
            yield record
        if self._request.follow:
            for tp, ends in self._ends.items():
                self._consumer.seek(tp, ends.end)
            async for record in self._chosen(follow=True):
                yield record

    async def _seek(self) -> None:
        where = self._request.where
        if not isinstance(where, datetime):
            for tp, ends in self._ends.items():
                self._consumer.seek(tp, ends.beginning)
            return
        found = await self._consumer.offsets_for_times(
            dict.fromkeys(self._ends, int(where.timestamp() * 1000))
        )
        for tp, ends in self._ends.items():
            at = found.get(tp)
            self._consumer.seek(tp, ends.end if at is None else at.offset)

    async def _chosen(self, *, follow: bool) -> AsyncIterator[LogRecord]:
        """Records of the selection from where the consumer stands, up to the ends or for ever."""
        while follow or await self._has_more():
            fetched = await self._consumer.getmany(timeout_ms=_POLL_MS)
            for tp, records in fetched.items():
                for raw in records:
                    if not follow and raw.offset >= self._ends[tp].end:
                        break
                    record = to_log_record(raw)
                    if self._request.selection.holds(record):
                        yield record

    async def _has_more(self) -> bool:
        for tp, ends in self._ends.items():
            if await self._consumer.position(tp) < ends.end:
                return True
        return False


def _when(record: LogRecord) -> tuple[datetime, int, int]:
    return record.broker_time, record.partition, record.offset
