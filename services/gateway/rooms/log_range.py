"""Reads stretches of the log anew, where they lie behind the tables and before memory."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from parley.codec import LogRecord
from parley.log.access import kafka_options
from parley.log.connections import stop_consumer
from parley.log.records import to_log_record
from parley.topics import Topic
from services.gateway.settings import GatewaySettings

PATIENCE_S: Final = 10.0
POLL_MS: Final = 250
# Records; a second or two.
LONGEST: Final = 50_000
# Records between which everybody else has a turn: a millisecond or two.
CHUNK: Final = 500
# Partitions that are read at the same time.
AT_ONCE: Final = 4

# Chunks of a partition's records, from the first offset on; its reader stops asking at the end.
Scan = Callable[[int, int], AsyncGenerator[Sequence[Any], None]]


class LogUnavailable(Exception):
    """The stretch cannot be read: Kafka is away, or no longer has it."""


@dataclass(eq=False, slots=True)
class _Wish:
    """Somebody waits for a conversation's records from the first offset to before the end."""

    first_offset: int
    end_offset: int
    key: bytes
    granted: asyncio.Future[list[LogRecord]]
    found: list[LogRecord] = field(default_factory=list)

    def offer(self, record: Any) -> None:
        if self.first_offset <= record.offset < self.end_offset:
            self.found.append(to_log_record(record))

    def grant(self) -> None:
        if not self.granted.done():
            self.granted.set_result(self.found)

    def refuse(self, error: BaseException) -> None:
        if not self.granted.done():
            self.granted.set_exception(LogUnavailable(type(error).__name__))


class LogRanges:
    """Reads a partition once for all who wait for something in it.

    A thousand clients that come back at once, while nothing has stored anything for a while, would
    otherwise read the same records a thousand times.
    """

    def __init__(self, scan: Scan) -> None:
        self._scan = scan
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting: dict[int, list[_Wish]] = {}
        self._readers: set[asyncio.Task[None]] = set()

    async def read(
        self, partition: int, first_offset: int, end_offset: int, key: bytes
    ) -> list[LogRecord]:
        """The conversation's records from the first offset to before the end.

        Raises LogUnavailable; also for a stretch so long that many clients at once would ask for
        more than there is to give, as when nothing has stored anything for hours.
        """
        if end_offset - first_offset > LONGEST:
            gap = end_offset - first_offset
            raise LogUnavailable(f"{gap} records lie between tables and memory")
        granted: asyncio.Future[list[LogRecord]] = asyncio.get_running_loop().create_future()
        self._wait(partition, _Wish(first_offset, end_offset, key, granted))
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await granted
        except TimeoutError as error:
            raise LogUnavailable("TimeoutError") from error

    def _wait(self, partition: int, wish: _Wish) -> None:
        if partition in self._waiting:
            self._waiting[partition].append(wish)
            return
        # Whoever comes until this reader has its turn is served by it, later ones by the next.
        self._waiting[partition] = [wish]
        reader = asyncio.create_task(self._serve(partition))
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def _serve(self, partition: int) -> None:
        async with self._turns:
            wishes = [one for one in self._waiting.pop(partition) if not one.granted.done()]
            if not wishes:
                return
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await self._fulfil(partition, wishes)
            except (KafkaError, OSError, TimeoutError) as error:
                for wish in wishes:
                    wish.refuse(error)
            except BaseException as error:
                for wish in wishes:
                    wish.refuse(error)
                raise

    async def _fulfil(self, partition: int, wishes: Sequence[_Wish]) -> None:
        first_offset = min(one.first_offset for one in wishes)
        end_offset = max(one.end_offset for one in wishes)
        of_key: dict[bytes | None, list[_Wish]] = defaultdict(list)
        for wish in wishes:
            of_key[wish.key].append(wish)
        async with aclosing(self._scan(partition, first_offset)) as chunks:
            async for records in chunks:
                for record in records:
                    for wish in of_key.get(record.key, ()):
                        wish.offer(record)
                if records and records[-1].offset + 1 >= end_offset:
                    break
        for wish in wishes:
            wish.grant()


def scan_of(settings: GatewaySettings) -> Scan:
    """Reads the events topic with a consumer for each scan."""

    async def scan(partition: int, first_offset: int) -> AsyncGenerator[Sequence[Any], None]:
        tp = TopicPartition(settings.topic(Topic.EVENTS), partition)
        consumer = AIOKafkaConsumer(
            **kafka_options(settings),
            client_id="parley-gateway-range",
            enable_auto_commit=False,
            auto_offset_reset="none",
            max_poll_records=CHUNK,
        )
        try:
            await consumer.start()
            consumer.assign([tp])
            consumer.seek(tp, first_offset)
            while True:
                for records in (await consumer.getmany(tp, timeout_ms=POLL_MS)).values():
                    yield records
                await asyncio.sleep(0)
        finally:
            await stop_consumer(consumer)

    return scan
