"""A product with talk in it, and what a move of its topic must leave as it was."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random
from typing import Any

from parley import clock
from parley.codec import Outgoing, decode_seal, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import (
    Content,
    EndReason,
    Event,
    MessageRecorded,
    MessageRevised,
    RevisionKind,
    SessionEnded,
    SessionStarted,
)
from parley.log.admin import topic_ends
from parley.log.producer import Producer
from parley.seals import Seal, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from services.sealer.core import PartitionSealer
from services.sealer.reading import read
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, message, outgoing, short_policy
from tests.support.topics import read_records
from tests.support.views import residue
from tests.support.wait import eventually

OWN = {"PARLEY_SEALER_SAVE_INTERVAL": "0.2", "PARLEY_SEALER_BATCH_RECORDS": "50"}
CONVERSATIONS = 40


@contextmanager
def services(settings: Settings, *names: str, probe: str = "/readyz") -> Iterator[None]:
    """These services, in the settings' topics."""
    with ExitStack() as running:
        for name in names or ("persister", "sealer", "analyzer"):
            running.enter_context(ServiceProcess(name, settings, probe=probe, **OWN))
        yield


@dataclass
class Talk:
    """Messages, sessions, revisions, copies, old times and garbage, in forty conversations.

    Half of them are over within seconds; the others stay open.
    """

    settings: Settings
    chance: Random = field(default_factory=lambda: Random(3))
    said: list[Event] = field(default_factory=list)
    bad: int = 0

    async def go_on(self, count: int) -> None:
        """Say so many things more."""
        producer = Producer(self.settings)
        await producer.start()
        try:
            for _ in range(0, count, 25):
                batch = [self._next() for _ in range(25)]
                await producer.send_all(batch)
                await asyncio.sleep(0.02)
        finally:
            await producer.stop()

    def _next(self) -> Outgoing:
        chance, draw = self.chance, self.chance.random()
        if draw < 0.02:
            self.bad += 1
            key = event_key(TENANT, f"c{chance.randrange(CONVERSATIONS)}")
            return Outgoing(self.settings.topic(Topic.EVENTS), key, b"\xff", EVENT_HEADERS)
        if draw < 0.08 and self.said:
            return outgoing(self.settings, chance.choice(self.said))
        made = self._event(draw)
        self.said.append(made)
        return outgoing(self.settings, made)

    def _event(self, draw: float) -> Event:
        chance, number = self.chance, self.chance.randrange(CONVERSATIONS)
        gap_s = 2.0 if number % 2 else 600.0
        policy = replace(short_policy(gap_s), seal_on_end=number % 5 == 0)
        name, session_id = f"c{number}", f"c{number}-{len(self.said) // 300}"
        if draw < 0.12:
            ends = chance.random() < 0.5
            body = SessionEnded(1, EndReason.EXPLICIT) if ends else SessionStarted()
            return event(name, body, session_id=session_id, policy=policy)
        messages = [one for one in self.said if isinstance(one.body, MessageRecorded)]
        if draw < 0.16 and messages:
            target = chance.choice(messages)
            revised = MessageRevised(target.event_id, RevisionKind.CORRECTED, Content("other"))
            return event(target.conversation_id, revised, policy=target.policy)
        at = clock.now()
        if draw < 0.22:
            at -= timedelta(seconds=30 * chance.random())
        return message(name, len(self.said), at=at, policy=policy, session_id=session_id)


async def at_rest(settings: Settings, pool: Any, *consumers: str) -> None:
    """Wait until everything is read, what has to follow is published, and nothing is due."""

    async def is_finished() -> bool:
        kinds = {
            "persister": Topic.EVENTS,
            "persister-seals": Topic.SEALS,
            "persister-analyses": Topic.ANALYSES,
            "sealer": Topic.EVENTS,
            "analyzer": Topic.SEALS,
        }
        for consumer in consumers or kinds:
            topic = settings.topic(kinds[consumer])
            ends = sum(one.end for one in await topic_ends(settings, topic))
            read = await pool.fetchval(
                "SELECT coalesce(sum(next_offset), 0)::bigint FROM fences "
                "WHERE consumer = $1 AND topic = $2",
                consumer,
                topic,
            )
            if read != ends:
                return False
        unfinished: int = await pool.fetchval(
            "SELECT (SELECT count(*) FROM outbox WHERE published_at IS NULL) "
            "+ (SELECT count(*) FROM sealer_windows "
            "    WHERE deadline < now() + interval '1 minute') "
            "+ (SELECT count(*) FROM operations.jobs WHERE state IN ('open', 'claimed'))"
        )
        return unfinished == 0

    async def is_at_rest() -> bool:
        # What was the last to end may have been published after its topic was looked at.
        return await is_finished() and await is_finished()

    await eventually(is_at_rest, timeout=60, every=0.3)


async def published(settings: Settings) -> list[SegmentSealed]:
    """The segments that the seals topic tells of, once each."""
    seals = [decode_seal(one.value) for one in await read_records(settings, Topic.SEALS)]
    return list(dict.fromkeys(one for one in seals if isinstance(one, SegmentSealed)))


async def replayed(settings: Settings) -> list[SegmentSealed]:
    """What one fold of the whole log decides."""
    sealers: dict[int, PartitionSealer] = {}
    decided: list[Seal] = []
    for record in await read_records(settings, Topic.EVENTS):
        sealer = sealers.setdefault(record.partition, PartitionSealer("any", record.partition))
        observed, time = read(record)
        decided += sealer.observe(observed, time, record.offset)
    return [one for one in decided if isinstance(one, SegmentSealed)]


def told(seals: Sequence[SegmentSealed]) -> Counter[tuple[Any, ...]]:
    """What they say, apart from where in the log it was decided."""
    return Counter(
        (
            one.conversation_id,
            one.segment_id,
            one.revision,
            one.previous_revision,
            one.cause,
            one.started_at,
            one.ended_at,
            one.message_count,
            one.member_digest,
            one.retracted,
            one.cut,
            one.participants,
        )
        for one in seals
    )


async def assert_all_is_well(settings: Settings, pool: Any, talk: Talk) -> None:
    """Nothing lost, nothing doubled, and a replay seals the same."""
    said = {one.event_id for one in talk.said}
    rows = await pool.fetch("SELECT event_id::text FROM conversation_events")
    assert {row["event_id"] for row in rows} == said
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == talk.bad
    assert await residue(pool) == 0
    seals = await published(settings)
    assert max(Counter((one.segment_id, one.revision) for one in seals).values()) == 1
    assert told(seals) == told(await replayed(settings))
    stopped = "SELECT stopped_reason FROM fences WHERE stopped_reason IS NOT NULL"
    assert await pool.fetch(stopped) == []
    assert await pool.fetchval("SELECT count(*) FROM operations.jobs WHERE state = 'parked'") == 0
