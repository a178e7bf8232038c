"""Sets the stage for the analyzer: seals, and the rows that the persister would write."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer

from parley.analyses import JobEnded
from parley.codec import LogRecord, Outgoing, decode_analysis, encode_seal, event_key
from parley.codec.seals import SEAL_HEADERS
from parley.db.pool import Pool
from parley.digests import Member, SpokenMember, member_digest
from parley.events import Content, Role
from parley.ids import derived_id
from parley.log.access import kafka_options
from parley.log.producer import Producer
from parley.log.records import to_log_record
from parley.passes.applied import AppliedPass
from parley.seals import SealCause, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic, partition_of
from services.analyzer.core.jobs import Job, jobs_of, segment_of
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import Claim, JobStore, Slots

# What is to be counted needs no more passes than these.
TWO_PASSES = (TURN_STATISTICS, SENTIMENT)
TENANT = "default"
INCARNATION = "first"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DECIDED_OFFSET = 1_000


def analyzer_settings(settings: Settings, **own: Any) -> AnalyzerSettings:
    """The test's settings as an analyzer reads them."""
    return AnalyzerSettings(**{**settings.model_dump(), **own})


def talk(conversation_id: str, count: int = 4) -> list[SpokenMember]:
    """A conversation in which the user and the assistant take turns."""
    return [
        SpokenMember(
            NOON + timedelta(seconds=number),
            derived_id("message", conversation_id, str(number)),
            (Role.USER, Role.ASSISTANT)[number % 2],
            Content(f"this is great, number {number}"),
        )
        for number in range(count)
    ]


def own_talk(conversation_id: str, count: int = 4) -> list[SpokenMember]:
    """A conversation in which things are said that no other one holds."""
    return [
        one._replace(content=Content(f"{one.content.text} of {conversation_id}"))
        for one in talk(conversation_id, count)
    ]


def sealed(
    conversation_id: str, members: Sequence[SpokenMember], revision: int = 1, **fields: Any
) -> SegmentSealed:
    """The seal of a segment with these members, decided at DECIDED_OFFSET of partition 0."""
    opening = members[0].event_id
    whole: dict[str, Any] = {
        "tenant_id": TENANT,
        "conversation_id": conversation_id,
        "segment_id": derived_id("segment", conversation_id),
        "revision": revision,
        "previous_revision": revision - 1,
        "cause": SealCause.IDLE,
        "started_at": members[0].event_time,
        "ended_at": members[-1].event_time,
        "first_event_id": opening,
        "last_event_id": members[-1].event_id,
        "message_count": len(members),
        "member_digest": member_digest(
            Member(one.event_id, one.content_version) for one in members
        ),
        "first_offset": 0,
        "last_offset": len(members),
        "incarnation": INCARNATION,
        "partition": 0,
        "decided_offset": DECIDED_OFFSET,
        "watermark": NOON + timedelta(hours=2),
        "policy_id": "default",
        "policy_version": 1,
        "rule_version": 1,
        "opening_event_id": opening,
        "channel": "test",
        "participants": ("tester",),
        "user_ids": (),
    }
    return SegmentSealed(**{**whole, **fields})


async def claim(store: JobStore, live: int = 64, backfill: int = 16) -> Claim:
    """Jobs of the two passes."""
    known = [one.definition.fingerprint for one in TWO_PASSES]
    return await store.claim(known, Slots(live, backfill))


def jobs_for(seal: SegmentSealed, source_partition: int = 0) -> list[Job]:
    """The jobs that the seal makes, sealed now."""
    applied = [AppliedPass.of(one.definition) for one in TWO_PASSES]
    return jobs_of(segment_of(seal, source_partition, datetime.now(UTC)), applied)


def record_of(settings: Settings, seal: SegmentSealed, offset: int = 0) -> LogRecord:
    """The seal as a consumed record of partition 0."""
    key = event_key(seal.tenant_id, seal.conversation_id)
    topic = settings.topic(Topic.SEALS)
    return LogRecord(topic, 0, offset, datetime.now(UTC), key, encode_seal(seal))


@dataclass(frozen=True, slots=True)
class Tables:
    """Writes what the persister would have written."""

    pool: Pool
    settings: Settings

    async def say(
        self, conversation_id: str, members: Sequence[SpokenMember], first_offset: int = 0
    ) -> None:
        """Messages at consecutive offsets of partition 0."""
        rows = [
            (
                TENANT,
                one.event_id,
                conversation_id,
                one.role.value,
                one.content.text,
                one.event_time,
                INCARNATION,
                first_offset + number,
            )
            for number, one in enumerate(members)
        ]
        await self.pool.executemany(
            "INSERT INTO conversation_messages (tenant_id, id, conversation_id, sender, role,"
            " content, event_time, received_at, incarnation, partition, log_offset,"
            " is_user_inherited) VALUES ($1, $2, $3, 'tester', $4, $5, $6, $6, $7, 0, $8, false)",
            rows,
        )

    async def add_version(
        self,
        message: SpokenMember,
        version_id: str,
        text: str,
        log_offset: int,
        seconds: float = 0,
        kind: str = "corrected",
    ) -> None:
        """One content of a message, `seconds` after it was said."""
        await self.pool.execute(
            "INSERT INTO message_versions (tenant_id, message_id, version_id, conversation_id,"
            " kind, event_time, content, incarnation, partition, log_offset)"
            " SELECT tenant_id, id, $3, conversation_id,"
            " CASE WHEN id = $3 THEN 'recorded' ELSE $8 END, $4, $5, $6, 0, $7"
            " FROM conversation_messages WHERE tenant_id = $1 AND id = $2",
            TENANT,
            message.event_id,
            version_id,
            message.event_time + timedelta(seconds=seconds),
            text,
            INCARNATION,
            log_offset,
            kind,
        )

    async def persister_is_at(self, next_offset: int) -> None:
        """The persister's fence on partition 0 of the events topic."""
        await self.pool.execute(
            "INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch,"
            " owner) VALUES ('persister', $1, 0, $2, $3, 1, 'test')"
            " ON CONFLICT (consumer, topic, partition) DO UPDATE SET next_offset = $3",
            self.settings.topic(Topic.EVENTS),
            INCARNATION,
            next_offset,
        )

    async def job_states(self) -> dict[str, int]:
        """How many jobs are in each state."""
        rows = await self.pool.fetch(
            "SELECT state, count(*) AS n FROM operations.jobs GROUP BY state"
        )
        return {row["state"]: row["n"] for row in rows}


def seal_to_publish(settings: Settings, seal: SegmentSealed) -> Outgoing:
    """The seal as the sealer's relay publishes it."""
    key = event_key(seal.tenant_id, seal.conversation_id)
    return Outgoing(settings.topic(Topic.SEALS), key, encode_seal(seal), SEAL_HEADERS)


def seals_partition(settings: Settings, conversation_id: str) -> int:
    """Where the conversation's seals lie."""
    return partition_of(event_key(TENANT, conversation_id), settings.partitions)


async def publish_seals(settings: Settings, seals: Sequence[SegmentSealed]) -> None:
    """Publish seals as the sealer's relay would."""
    producer = Producer(settings)
    await producer.start()
    try:
        await producer.send_all([seal_to_publish(settings, seal) for seal in seals])
    finally:
        await producer.stop()


class Analyses:
    """Everything that parley.analyses.v1 holds so far, by job."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ends: dict[tuple[str, int, str], list[JobEnded]] = defaultdict(list)

    async def __aenter__(self) -> "Analyses":
        topic = self._settings.topic(Topic.ANALYSES)
        self._consumer = AIOKafkaConsumer(
            topic,
            **kafka_options(self._settings),
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()

    async def read(self) -> dict[tuple[str, int, str], list[JobEnded]]:
        """The different ends of each job (segment, revision, pass): equal bytes count once."""
        while fetched := await self._consumer.getmany(timeout_ms=200):
            for records in fetched.values():
                for record in map(to_log_record, records):
                    self._note(record)
            await asyncio.sleep(0)
        return dict(self._ends)

    def _note(self, record: LogRecord) -> None:
        ended = decode_analysis(record.value)
        if isinstance(ended, JobEnded):
            key = (ended.segment_id, ended.revision, ended.pass_name)
            if ended not in self._ends[key]:
                self._ends[key].append(ended)


def revised(member: SpokenMember, version_id: str, text: str) -> SpokenMember:
    """The member with the content of a revision."""
    return member._replace(content=Content(text), content_version=version_id)
