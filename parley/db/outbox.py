"""Records that must follow a commit: written in its transaction, published by one relay."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from parley import clock, metrics
from parley.codec import Outgoing
from parley.db.errors import is_transient
from parley.db.fence import FenceKey
from parley.db.headers import headers_from_json, headers_to_json
from parley.db.pool import Connection, Pool
from parley.db.sql import load
from parley.log.producer import Producer, check_size
from parley.tracing import TRACING

log = structlog.get_logger(__name__)

_SQL: Final = load(__package__)
BATCH_ROWS: Final = 500
# How long a row may wait when nobody rang the bell: its writer died between commit and bell.
POLL_S: Final = 1.0
TRIM_EVERY_S: Final = 600.0
RETRY_S: Final = 1.0


async def enqueue(connection: Connection, source: FenceKey, batch: Sequence[Outgoing]) -> None:
    """Write rows into the outbox within the caller's transaction, in order.

    Raises RecordTooLarge: a row that cannot be published would hold up all that follow it.
    """
    partitioned = [(source.partition, one) for one in batch]
    await enqueue_all(connection, source.consumer, source.topic, partitioned)


async def enqueue_all(
    connection: Connection, consumer: str, topic: str, batch: Sequence[tuple[int, Outgoing]]
) -> None:
    """The same for several partitions of a source topic: each row is its partition's relay's."""
    if not batch:
        return
    for _, outgoing in batch:
        check_size(outgoing)
    traced = TRACING.headers()
    await connection.execute(
        _SQL["insert_outbox"],
        consumer,
        topic,
        [partition for partition, _ in batch],
        [one.topic for _, one in batch],
        [one.partition for _, one in batch],
        [one.key for _, one in batch],
        [one.value for _, one in batch],
        [headers_to_json((*one.headers, *traced)) for _, one in batch],
    )


class Relay:
    """Publishes one source partition's outbox rows in order; rows may go out twice, never not.

    A crash between the broker's ack and the mark publishes a row again: consumers ignore what
    they know.
    """

    def __init__(self, pool: Pool, producer: Producer, source: FenceKey) -> None:
        self._pool = pool
        self._producer = producer
        self._source = source
        self._bell = asyncio.Event()
        self._trimmed_at = clock.monotonic()

    def ring(self) -> None:
        """Say that rows were committed."""
        self._bell.set()

    async def run(self) -> None:
        """Publish until cancelled; the broker's and the database's failures are waited out."""
        while True:
            try:
                if not await self.publish_some():
                    await self._trim()
                    await self._wait()
            except (KafkaError, OSError) as error:
                await self._pause(error)
            except Exception as error:
                if not is_transient(error):
                    raise
                await self._pause(error)

    async def publish_some(self) -> int:
        """Publish and mark the oldest rows; returns how many."""
        source = self._source
        rows = await self._pool.fetch(
            _SQL["unpublished_outbox"],
            source.consumer,
            source.topic,
            source.partition,
            BATCH_ROWS,
        )
        self._observe_age(rows)
        if rows:
            await self._producer.send_by_key([_to_outgoing(row) for row in rows])
            await self._pool.execute(_SQL["mark_published"], [row["id"] for row in rows])
        return len(rows)

    def _observe_age(self, rows: Sequence[Any]) -> None:
        age = (clock.now() - rows[0]["created_at"]).total_seconds() if rows else 0.0
        metrics.OUTBOX_AGE.labels(self._source.consumer, str(self._source.partition)).set(age)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_S):
                await self._bell.wait()
        except TimeoutError:
            return
        finally:
            self._bell.clear()

    async def _trim(self) -> None:
        if clock.monotonic() - self._trimmed_at < TRIM_EVERY_S:
            return
        self._trimmed_at = clock.monotonic()
        source = self._source
        await self._pool.execute(
            _SQL["trim_outbox"], source.consumer, source.topic, source.partition
        )

    async def _pause(self, error: Exception) -> None:
        log.warning("outbox_waits", error=type(error).__name__, **_names(self._source))
        await asyncio.sleep(RETRY_S)


def _names(source: FenceKey) -> dict[str, Any]:
    return {
        "consumer": source.consumer,
        "topic": source.topic,
        "partition": source.partition,
    }


def _to_outgoing(row: Any) -> Outgoing:
    headers = headers_from_json(row["headers"])
    return Outgoing(row["topic"], row["key"], row["value"], headers, row["partition"])
