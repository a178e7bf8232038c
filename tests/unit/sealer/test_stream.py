"""What a batch decides goes out with its transaction, and in no other way."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY

from parley import clock
from parley.codec import LogRecord, Outgoing, encode_event, event_key
from parley.codec.events import EVENT_HEADERS
from parley.db import copying
from parley.db.fence import Fence, FenceKey
from parley.events import Event, Tick
from parley.log.consumer import Batch
from parley.log.consumer.handler import divided
from services.sealer.settings import SealerSettings
from services.sealer.stream import Fold, SealerStream
from tests.support.publish import message, short_policy

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FENCE = Fence(FenceKey("sealer", "events", 0), "incarnation", 1, 0, None)


class EmptyTables:
    """A pool, or a transaction's connection: it finds nothing, and keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def fetch(self, query: str, *_: object) -> list[object]:
        self.told.append(query)
        return []

    async def fetchrow(self, query: str, *_: object) -> None:
        self.told.append(query)

    async def fetchval(self, query: str, *_: object) -> None:
        self.told.append(query)

    async def execute(self, query: str, *_: object) -> str:
        self.told.append(query)
        return ""

    async def executemany(self, query: str, *_: object) -> None:
        self.told.append(query)

    def acquire(self) -> "AbstractAsyncContextManager[EmptyTables]":
        return nullcontext(self)

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def copy_records_to_table(self, table: str, **_: object) -> None:
        self.told.append(table)


class SilentProducer:
    """A producer that keeps what it was asked to send."""

    def __init__(self) -> None:
        self.sent: list[Outgoing] = []

    async def send(self, record: Outgoing) -> None:
        self.sent.append(record)


def record(offset: int, event: Event, at: datetime) -> LogRecord:
    key = event_key(event.tenant_id, event.conversation_id) if event.conversation_id else None
    return LogRecord("events", 0, offset, at, key, encode_event(event), EVENT_HEADERS)


async def test_a_seal_is_written_in_the_batchs_transaction_and_published_by_nobody_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The driver then writes the rows, and asks for no types.
    monkeypatch.setattr(copying, "rows_to_copy", None)
    pool, connection, producer = EmptyTables(), EmptyTables(), SilentProducer()
    stream = SealerStream(SealerSettings(), _any(pool), _any(producer))
    await stream.claimed(FENCE)
    said = message("c1", 1, at=NOON, received_at=NOON, policy=short_policy())
    later = NOON + timedelta(minutes=1)
    tick = Event("00000000-0000-4000-8000-000000000001", Tick(later), NOON, NOON)
    batch = Batch(FENCE, [record(0, said, NOON), record(1, tick, later)])
    work = await stream.prepare(batch)
    assert isinstance(work, Fold)
    assert len(work.decisions) == 1
    assert not any("outbox" in query for query in pool.told)
    await stream.apply(_any(connection), work)
    assert any("outbox" in query for query in connection.told)
    await stream.committed(work)
    assert producer.sent == []


async def test_what_one_record_closes_beyond_measure_is_written_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.sealer.stream.DECIDED_AT_ONCE", 2)
    monkeypatch.setattr("services.sealer.stream.DECIDED_IN_A_PART", 2)
    monkeypatch.setattr(copying, "rows_to_copy", None)
    stream = SealerStream(SealerSettings(), _any(EmptyTables()), _any(SilentProducer()))
    await stream.claimed(FENCE)
    said = [message(f"c{n}", n, at=NOON, received_at=NOON, policy=short_policy()) for n in range(5)]
    later = NOON + timedelta(minutes=1)
    tick = Event("00000000-0000-4000-8000-000000000001", Tick(later), NOON, NOON)
    records = [record(n, one, NOON) for n, one in enumerate(said)]
    records += [record(5, tick, later), record(6, tick, later)]
    counts, sealed = [], []
    while records:
        part, work, rest = divided(
            Batch(FENCE, records), await stream.prepare(Batch(FENCE, records))
        )
        counts.append(len(part.records))
        sealed += [one.conversation_id for one in work.decisions]
        await stream.committed(work)
        records = list(rest)
    # Before the tick, twice before it with the fence where it was, and then the tick.
    assert counts == [5, 0, 2]
    assert sealed == [f"c{n}" for n in range(5)]


def _any(one: object) -> Any:
    return one


def gauge(name: str, partition: str) -> float | None:
    return REGISTRY.get_sample_value(f"parley_sealer_{name}", {"partition": partition})


async def test_the_watermark_and_a_deadline_that_has_passed_are_exported_until_the_release() -> (
    None
):
    pool, producer = EmptyTables(), SilentProducer()
    stream = SealerStream(SealerSettings(), _any(pool), _any(producer))
    fence = Fence(FenceKey("sealer", "events", 91), "incarnation", 1, 0, None)
    await stream.claimed(fence)
    await _tick_once(stream)
    assert gauge("watermark_timestamp_seconds", "91") is None
    assert gauge("overdue_seconds", "91") == 0
    ago = clock.now() - timedelta(hours=1)
    said = message("c1", 1, at=ago, received_at=ago, policy=short_policy())
    await stream.prepare(Batch(fence, [record(0, said, ago)]))
    await _tick_once(stream)
    assert gauge("watermark_timestamp_seconds", "91") == pytest.approx(ago.timestamp(), abs=1)
    assert gauge("watermark_age_seconds", "91") == pytest.approx(3_600, abs=30)
    # Its gap and its grace are seconds.
    assert 3_500 < (gauge("overdue_seconds", "91") or 0) < 3_630
    stream.released(91)
    names = ("watermark_timestamp_seconds", "watermark_age_seconds", "overdue_seconds")
    assert [gauge(name, "91") for name in names] == [None, None, None]


class StuckProducer(SilentProducer):
    """A producer one of whose partitions has no leader."""

    async def send(self, record: Outgoing) -> None:
        await super().send(record)
        if record.partition == 0:
            await asyncio.Event().wait()


async def test_a_partition_without_a_leader_delays_no_others_ticks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.sealer.stream.LOOK_EVERY_S", 0.01)
    every = timedelta(milliseconds=100)
    settings = SealerSettings(sealer_tick_delay=timedelta(0), sealer_tick_interval=every)
    producer = StuckProducer()
    stream = SealerStream(settings, _any(EmptyTables()), _any(producer))
    ago = clock.now() - timedelta(hours=1)
    said = message("c1", 1, at=ago, received_at=ago, policy=short_policy())
    for partition in (0, 1):
        fence = Fence(FenceKey("sealer", "events", partition), "incarnation", 1, 0, None)
        await stream.claimed(fence)
        await stream.prepare(Batch(fence, [record(0, said, ago)]))
    stop = asyncio.Event()
    ticking = asyncio.create_task(stream.tick(stop))
    await asyncio.sleep(0.6)
    stop.set()
    await asyncio.wait({ticking}, timeout=1)
    assert ticking.done()
    ticked = [one.partition for one in producer.sent]
    assert ticked.count(0) == 1
    assert ticked.count(1) > 2


async def _tick_once(stream: SealerStream) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().call_soon(stop.set)
    await stream.tick(stop)
