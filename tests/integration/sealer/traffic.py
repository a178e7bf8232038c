"""Talk with all that is hard to seal, and what an undisturbed sealer makes of it."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from parley import clock
from parley.codec import InvalidRecord, LogRecord, decode_event, decode_seal
from parley.events import EndReason, Event, SessionEnded, SessionStarted
from parley.log.admin import incarnation_of, topic_ends
from parley.log.producer import Producer
from parley.seals import Seal, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from services.sealer.core import PartitionSealer
from tests.support.publish import event, message, outgoing, short_policy
from tests.support.topics import read_records
from tests.support.wait import eventually

WAITING = """SELECT (SELECT count(*) FROM sealer_windows)
  + (SELECT count(*) FROM outbox WHERE published_at IS NULL)"""
PATIENCE_S = 60.0
FENCES = "SELECT partition, next_offset FROM fences WHERE consumer = 'sealer'"


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


async def log_ends(settings: Settings) -> dict[int, int]:
    """The events topic's end by partition."""
    found = await topic_ends(settings, settings.topic(Topic.EVENTS))
    return {one.partition: one.end for one in found}


async def read_on(pool: Any, ends: dict[int, int]) -> None:
    """Wait until the sealer's tables hold everything before these offsets."""

    async def is_read() -> bool:
        fences = {row["partition"]: row["next_offset"] for row in await pool.fetch(FENCES)}
        return all(fences.get(partition, 0) >= end for partition, end in ends.items())

    await eventually(is_read, timeout=PATIENCE_S, every=0.05)


async def quiet(settings: Settings, pool: Any) -> None:
    """Wait until all is read, sealed and published."""

    async def is_quiet() -> bool:
        await read_on(pool, await log_ends(settings))
        return bool(await pool.fetchval(WAITING) == 0)

    await eventually(is_quiet, timeout=PATIENCE_S, every=0.3)


async def published(settings: Settings) -> list[Seal]:
    """The seals topic, partition by partition."""
    return [decode_seal(one.value) for one in await read_records(settings, Topic.SEALS)]


def count_members(seals: Iterable[Seal]) -> int:
    """How many messages the current segments hold together."""
    current: dict[str, int] = {}
    for seal in seals:
        if isinstance(seal, SegmentSealed):
            for one in seal.retracted:
                current.pop(one.segment_id, None)
            current[seal.segment_id] = seal.message_count
    return sum(current.values())


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
