"""The sealer as a process: seals without traffic, and the same seals whatever kills it."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.request import urlopen

import pytest

from parley import clock
from parley.codec import InvalidRecord, LogRecord, decode_event, decode_seal
from parley.events import EndReason, Event, MessageRecorded, SessionEnded, SessionStarted, Tick
from parley.log.admin import incarnation_of
from parley.log.producer import Producer
from parley.seals import Seal, SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from services.sealer.core import PartitionSealer
from tests.support.processes import ServiceProcess
from tests.support.publish import event, message, outgoing, publish, short_policy
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

GAP, GRACE = timedelta(seconds=2), timedelta(seconds=0.5)
PATIENCE = timedelta(seconds=10)
KILLS = 5
OWN = {"PARLEY_SEALER_SAVE_INTERVAL": "0.2", "PARLEY_SEALER_BATCH_RECORDS": "50"}


@asynccontextmanager
async def running_sealer(settings: Settings, **extra: str) -> AsyncIterator[ServiceProcess]:
    process = ServiceProcess("sealer", settings, **extra)
    with process:
        yield process


async def get(url: str) -> str:
    def read() -> str:
        with urlopen(url, timeout=10) as answer:  # noqa: S310 - a service on loopback
            text: str = answer.read().decode()
            return text

    return await asyncio.to_thread(read)


async def published(settings: Settings) -> list[Seal]:
    """The seals topic, partition by partition."""
    return [decode_seal(one.value) for one in await read_records(settings, Topic.SEALS)]


async def wait_for_seals(settings: Settings, count: int) -> list[SegmentSealed]:
    async def enough() -> list[SegmentSealed]:
        seals = [one for one in await published(settings) if isinstance(one, SegmentSealed)]
        return seals if len(seals) >= count else []

    return await eventually(enough, timeout=30)


async def test_a_quiet_conversation_is_sealed_by_a_tick_within_ten_seconds_of_its_deadline(
    settings: Settings, pool: Any
) -> None:
    async with running_sealer(settings) as sealer:
        [sent] = await publish(settings, [message("c1", 1, policy=short_policy())])
        [seal] = await wait_for_seals(settings, 1)
        ended_at = clock.now()
        metrics = await get(f"{sealer.url}/metrics")
    assert (seal.conversation_id, seal.message_count, seal.cause) == ("c1", 1, SealCause.IDLE)
    assert seal.partition == sent.partition
    assert ended_at - (seal.ended_at + GAP + GRACE) < PATIENCE
    assert 'parley_sealer_seals_total{cause="idle"} 1.0' in metrics
    assert "parley_sealer_seal_delay_seconds_count 1.0" in metrics
    records = await read_records(settings, Topic.EVENTS)
    ticks = [one for one in records if isinstance(decode_event(one).body, Tick)]
    # The partition that has nothing open gets none.
    assert {one.partition for one in ticks} == {sent.partition}
    assert await pool.fetchval("SELECT count(*) FROM sealer_windows") == 0


async def test_a_window_that_fell_due_while_nobody_ran_is_sealed_after_the_start(
    settings: Settings,
) -> None:
    async with running_sealer(settings) as sealer:
        await publish(settings, [message("c1", 1, policy=short_policy())])

        async def is_saved() -> bool:
            return '"open_windows":1' in await get(f"{sealer.url}/health")

        await eventually(is_saved)
        sealer.kill()
        await asyncio.sleep((GAP + GRACE).total_seconds() + 0.5)
        await asyncio.to_thread(sealer.start)
        assert len(await wait_for_seals(settings, 1)) == 1


@dataclass
class Traffic:
    """Talk with sessions; some messages come late, twice, or with an old time."""

    settings: Settings
    chance: Random = field(default_factory=lambda: Random(7))
    sent: list[Event] = field(default_factory=list)

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop`, then end."""
        producer = Producer(self.settings)
        await producer.start()
        try:
            while not stop.is_set():
                batch = [self._next() for _ in range(self.chance.randint(1, 12))]
                self.sent.extend(batch)
                await producer.send_all([outgoing(self.settings, one) for one in batch])
                await asyncio.sleep(0.03)
        finally:
            await producer.stop()

    def _next(self) -> Event:
        chance, now = self.chance, clock.now()
        draw, number = chance.random(), chance.randrange(40)
        if self.sent and draw < 0.1:
            return chance.choice(self.sent)
        # Some are calls, whose sessions' ends cut.
        policy = replace(short_policy(), seal_on_end=number < 10)
        name, session_id = f"c{number}", f"c{number}-{len(self.sent) // 200}"
        if draw < 0.2:
            said_at = now - timedelta(seconds=20 * chance.random())
            return message(name, len(self.sent), at=said_at, policy=policy)
        if draw < 0.25:
            ends = chance.random() < 0.5
            body = SessionEnded(1, EndReason.EXPLICIT) if ends else SessionStarted()
            return event(name, body, session_id=session_id, policy=policy)
        return message(name, len(self.sent), policy=policy, session_id=session_id)


async def test_kills_under_traffic_leave_the_seals_of_an_undisturbed_run(
    settings: Settings, pool: Any
) -> None:
    traffic, stop = Traffic(settings), asyncio.Event()
    async with running_sealer(settings, **OWN) as sealer:
        sending = asyncio.create_task(traffic.run(stop))
        for _ in range(KILLS):
            await asyncio.sleep(traffic.chance.uniform(0.5, 2))
            sealer.kill()
            await asyncio.to_thread(sealer.start)
        await asyncio.sleep(1)
        stop.set()
        await sending

        async def is_quiet() -> bool:
            lag = await _unread(settings, pool)
            waiting = await pool.fetchval(
                "SELECT (SELECT count(*) FROM sealer_windows)"
                " + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"
            )
            return lag == 0 and waiting == 0

        await eventually(is_quiet, timeout=60, every=0.3)
    found = without_repeats(await published(settings))
    expected = await undisturbed(settings)
    assert found == expected
    seals = [one for one in found if isinstance(one, SegmentSealed)]
    # The traffic was worth the name.
    assert max(one.revision for one in seals) > 1
    assert any(one.retracted for one in seals)
    assert {SealCause.IDLE, SealCause.LATE, SealCause.ENDED} <= {one.cause for one in seals}
    said = {one.event_id for one in traffic.sent if isinstance(one.body, MessageRecorded)}
    assert count_members(found) == len(said)


def count_members(seals: Iterable[Seal]) -> int:
    """How many messages the current segments hold together."""
    current: dict[str, int] = {}
    for seal in seals:
        if isinstance(seal, SegmentSealed):
            for one in seal.retracted:
                current.pop(one.segment_id, None)
            current[seal.segment_id] = seal.message_count
    return sum(current.values())


async def _unread(settings: Settings, pool: Any) -> int:
    records = await read_records(settings, Topic.EVENTS)
    read: int = await pool.fetchval("SELECT coalesce(sum(next_offset), 0)::bigint FROM fences")
    return len(records) - read


def without_repeats(seals: Iterable[Seal]) -> list[Seal]:
    """A relay that died between the broker's ack and its mark publishes again."""
    return list(dict.fromkeys(seals))


async def undisturbed(settings: Settings) -> list[Seal]:
    """What one fold of the whole log decides, partition by partition."""
    incarnation = await incarnation_of(settings, settings.topic(Topic.EVENTS))
    sealers: dict[int, PartitionSealer] = {}
    decided: dict[int, list[Seal]] = {}
    for record in await read_records(settings, Topic.EVENTS):
        sealer = sealers.setdefault(
            record.partition, PartitionSealer(incarnation, record.partition)
        )
        observed, append_time = _decode(record)
        decisions = sealer.observe(observed, append_time, record.offset)
        decided.setdefault(record.partition, []).extend(decisions)
    return [one for _, decisions in sorted(decided.items()) for one in decisions]


def _decode(record: LogRecord) -> tuple[Event | None, datetime]:
    try:
        return decode_event(record), record.append_time()
    except InvalidRecord:
        return None, record.broker_time
