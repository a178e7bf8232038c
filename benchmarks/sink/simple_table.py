"""The persister with one simple table in place of its own: everything before the SQL is its own.

Run as `python -m benchmarks.sink.simple_table`: consumer loop, fence, parsing, validity, ledger
and dead letters are the product's; only the rows and the statement that merges them are not.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from operator import attrgetter
from typing import Final

from benchmarks.sink.messages import Message
from parley import ids
from parley.codec.record import EPOCH
from parley.db.pool import Connection, connect
from parley.db.sql import load
from parley.health import Health, HealthApp
from parley.lifecycle import run_service, serve
from parley.log.consumer import Batching, FencedConsumer
from parley.log.producer import Producer
from parley.topics import Topic
from services.persister.core.judging import Judged, first_of_each, judge
from services.persister.core.rows import Received, ReceivedMessage
from services.persister.main import POOL_SIZE
from services.persister.settings import PersisterSettings
from services.persister.store.copying import copy_new_rows, copy_rows
from services.persister.stream.handler import PersisterHandler
from services.persister.stream.reading import read_events

NAME: Final = "bench-simple"
MICROSECOND: Final = timedelta(microseconds=1)
SQL: Final = load(__package__)


class SimpleTable:
    """One row a message, by its id."""

    async def write(self, connection: Connection, items: Sequence[Received]) -> Judged[Received]:
        """Write what is new; the statement ignores what is known, as the persister's do."""
        firsts = sorted(first_of_each(items), key=attrgetter("key"))
        rows = [_row(one) for one in firsts]
        if await copy_new_rows(connection, "bench_messages", Message._fields, rows):
            return judge(items, firsts, {}, lambda item: item.value)
        await connection.execute(SQL["create_incoming"])
        await copy_rows(connection, "incoming_bench_messages", rows)
        status = await connection.execute(SQL["insert"])
        if status != f"INSERT 0 {len(firsts)}":
            raise RuntimeError("a message was there before: the benchmark publishes each once")
        return judge(items, firsts, {}, lambda item: item.value)


def _row(item: Received) -> Message:
    if not isinstance(item, ReceivedMessage):
        raise TypeError("the benchmark publishes nothing but usual messages")
    row = item.row
    return Message(
        row.id,
        row.conversation_id,
        row.role,
        row.content,
        (row.event_time - EPOCH) // MICROSECOND,
    )


async def start(settings: PersisterSettings, stop: asyncio.Event) -> None:
    """Run until `stop`, as the persister's own `start` does."""
    pool = await connect(settings, max_size=POOL_SIZE)
    producer = Producer(settings)
    try:
        await producer.start()
        handler = PersisterHandler(
            read_events,
            SimpleTable(),
            pool,
            settings.bad_limits,
            settings.topic(Topic.DEAD_LETTERS),
        )
        consumer = FencedConsumer(
            NAME,
            settings.topic(Topic.EVENTS),
            handler,
            settings,
            pool,
            producer,
            Batching(settings.persister_batch_records, settings.persister_batch_linger),
            ids.random_id(),
        )
        app = HealthApp(Health(NAME, {}))
        await serve(app, settings, stop, consumer.run)
    finally:
        await producer.stop()
        await pool.close()


if __name__ == "__main__":
    run_service(NAME, PersisterSettings, start)
