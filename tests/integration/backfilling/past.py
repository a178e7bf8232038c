"""A past: talk that was sealed before a pass existed, stored by a real persister."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from parley import clock
from parley.backfilling import runs
from parley.backfilling.core import BackfillPass
from parley.backfilling.dry_run import DryRun, dry_run
from parley.backfilling.request import BackfillRequest
from parley.backfilling.runs import Progress, RunState
from parley.db.pool import Pool
from parley.digests import Member, member_digest
from parley.events import Event
from parley.ids import derived_id
from parley.log.admin import incarnation_of, topic_ends
from parley.log.producer import Producer
from parley.passes.applied import AppliedPass
from parley.passes.code import CodePass
from parley.passes.planning import Wanted
from parley.passes.publishing import apply_passes, disable, enable, read_catalog
from parley.passes.stored import stored_catalog
from parley.seals import SegmentRetracted, SegmentSealed
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.passes.sentiment import SENTIMENT
from services.analyzer.passes.turn_statistics import TURN_STATISTICS
from tests.integration.analyzer.stage import seal_to_publish, sealed, talk
from tests.support.processes import ServiceProcess
from tests.support.publish import message, outgoing
from tests.support.wait import eventually

NEW = BackfillPass.of(AppliedPass.of(SENTIMENT.definition))
OTHER = BackfillPass.of(AppliedPass.of(TURN_STATISTICS.definition))
# Leases that run out while a test waits for it.
OWN = {"PARLEY_ANALYZER_LEASE": "1"}


@dataclass(slots=True)
class Past:
    """Segments in the log and in the tables, of which no pass knows."""

    settings: Settings
    pool: Pool
    persister: ServiceProcess
    producer: Producer
    incarnation: str
    began_at: datetime = field(default_factory=lambda: clock.now() - timedelta(minutes=1))
    sealed: dict[str, SegmentSealed] = field(default_factory=dict)

    async def seal(
        self, names: Sequence[str], *, messages: int = 3, waits: bool = True, **fields: Any
    ) -> None:
        """A segment for each name, as if it had been quiet since; stored when this returns."""
        said = {name: [self._said(name, number) for number in range(messages)] for name in names}
        await self._publish([one for events in said.values() for one in events], said, fields)
        if waits:
            await self.is_stored()

    async def revise(self, names: Sequence[str], messages: int = 5) -> None:
        """The next revision of each, with more messages; stored when this returns."""
        said = {name: [self._said(name, number) for number in range(messages)] for name in names}
        late = [one for name in names for one in said[name][self.sealed[name].message_count :]]
        revision = {name: self.sealed[name].revision + 1 for name in names}
        await self._publish(late, said, {}, revision)
        await self.is_stored()

    async def retract(self, name: str, into: str) -> None:
        """One segment is swallowed by another."""
        gone = self.sealed.pop(name)
        swallowed = SegmentRetracted(gone.segment_id, gone.revision, self.sealed[into].segment_id)
        seal = self.sealed[into]
        seal = replace(
            seal,
            revision=seal.revision + 1,
            previous_revision=seal.revision,
            retracted=(swallowed,),
        )
        await self._publish_seals({into: seal})
        await self.is_stored()

    async def apply(self, *passes: CodePass) -> None:
        """Put passes in force, for what is sealed from now on; the tables know it, too."""
        wanted = [Wanted(one.definition) for one in passes or (SENTIMENT,)]
        await apply_passes(self.settings, wanted, "tester")
        for one in wanted:
            await enable(self.settings, one.definition.name, None, "tester")

        async def is_stored() -> bool:
            catalog = await stored_catalog(self.pool)
            return all(
                (said := catalog.activation(one.definition.name)) is not None
                and said.body.is_placed
                for one in wanted
            )

        await eventually(is_stored)

    async def disable_all(self) -> None:
        """No pass is in force until one is applied."""
        for name in (await read_catalog(self.settings)).names():
            await disable(self.settings, name, "tester")

    async def begin(self, *passes: BackfillPass, **fields: Any) -> str:
        """Begin a run; its id."""
        request = BackfillRequest(passes or (NEW,), **fields)
        return await runs.start(self.pool, request, "tester")

    async def progress(self, run_id: str) -> Progress:
        """How far it is."""
        run = await runs.run(self.pool, run_id)
        assert run is not None
        (found,) = await runs.progress(self.pool, [run])
        return found

    async def reach(self, run_id: str, *states: RunState, timeout_s: float = 60) -> Progress:
        """Wait until the run stands so."""

        async def is_there() -> Progress | None:
            found = await self.progress(run_id)
            return found if found.run.state in states else None

        found = await eventually(is_there, timeout=timeout_s)
        assert found is not None
        return found

    async def finish(self, run_id: str, timeout_s: float = 60) -> Progress:
        """Wait until the run has finished."""
        return await self.reach(run_id, RunState.FINISHED, timeout_s=timeout_s)

    async def dry_run(self, **fields: Any) -> DryRun:
        """What a run would do."""
        request = BackfillRequest([NEW], **fields)
        catalog = await stored_catalog(self.pool)
        return await dry_run(self.settings, self.pool, request, catalog, Nobody())

    async def everything(self) -> list[int]:
        """How many rows there are that a run would write."""
        return [
            await self.pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - ours
            for table in ("operations.jobs", "operations.backfill_runs", "outbox", "verdicts")
        ]

    async def judge(self, names: Sequence[str], version: int = NEW.version) -> None:
        """Verdicts of the first revisions, as the persister would have written them."""
        await self.pool.executemany(
            "INSERT INTO verdicts (tenant_id, segment_id, revision, pass_name, pass_version,"
            " conversation_id, fingerprint, member_digest, content_digest, output_schema_version,"
            " output, trigger, attempt_count, started_at, ended_at, worker_id)"
            " VALUES ('default', $1, 1, $2, $3, $4, $5, '', '', 1, '{}', 'seal', 1, now(), now(),"
            " '')",
            [
                (
                    segment_of(name),
                    NEW.name,
                    version,
                    name,
                    NEW.fingerprint if version == 1 else "x",
                )
                for name in names
            ],
        )

    async def jobs(self) -> dict[str, int]:
        """How many jobs there are in each state."""
        rows = await self.pool.fetch(
            "SELECT state, count(*) AS n FROM operations.jobs GROUP BY state"
        )
        return {row["state"]: row["n"] for row in rows}

    async def verdicts_are(self, count: int) -> None:
        """Wait until the persister has stored so many, and see that there are no more."""

        async def are_stored() -> bool:
            found: int = await self.pool.fetchval("SELECT count(*) FROM verdicts")
            assert found <= count
            return found == count

        await eventually(are_stored, timeout=60)

    def _said(self, name: str, number: int) -> Event:
        # Of a time that the gateway may have given it: another one would be clamped.
        at = self.began_at + timedelta(seconds=number)
        return message(name, number, "this is great", at=at, received_at=at)

    async def _publish(
        self,
        events: Sequence[Event],
        said: Mapping[str, Sequence[Event]],
        fields: Mapping[str, Any],
        revision: Mapping[str, int] | None = None,
    ) -> None:
        placed = await self.producer.send_all([outgoing(self.settings, one) for one in events])
        last = {
            one.conversation_id: (place.partition, place.offset)
            for one, place in zip(events, placed, strict=True)
        }
        seals = {}
        for name, members in said.items():
            partition, offset = last[name]
            number = (revision or {}).get(name, 1)
            seals[name] = self._seal_of(name, members, partition, offset, number, fields)
        await self._publish_seals(seals)

    def _seal_of(
        self,
        name: str,
        members: Sequence[Event],
        partition: int,
        offset: int,
        revision: int,
        fields: Mapping[str, Any],
    ) -> SegmentSealed:
        return sealed(
            name,
            talk(name, 1),
            revision,
            **{
                "started_at": members[0].event_time,
                "ended_at": members[-1].event_time,
                "first_event_id": members[0].event_id,
                "last_event_id": members[-1].event_id,
                "opening_event_id": members[0].event_id,
                "message_count": len(members),
                "member_digest": member_digest(Member(one.event_id, "") for one in members),
                "incarnation": self.incarnation,
                "partition": partition,
                "decided_offset": offset,
                **fields,
            },
        )

    async def _publish_seals(self, seals: Mapping[str, SegmentSealed]) -> None:
        records = [seal_to_publish(self.settings, one) for one in seals.values()]
        await self.producer.send_all(records)
        self.sealed.update(seals)

    async def is_stored(self) -> None:
        """Wait until the persister has read both topics to their ends."""
        for consumer, topic in (("persister", Topic.EVENTS), ("persister-seals", Topic.SEALS)):
            name = self.settings.topic(topic)
            ends = {one.partition: one.end for one in await topic_ends(self.settings, name)}

            async def has_read(
                consumer: str = consumer, name: str = name, ends: Mapping[int, int] = ends
            ) -> bool:
                rows = await self.pool.fetch(
                    "SELECT partition, next_offset FROM fences WHERE consumer = $1 AND topic = $2",
                    consumer,
                    name,
                )
                read = {row["partition"]: row["next_offset"] for row in rows}
                return all(read.get(number, 0) >= end for number, end in ends.items())

            await eventually(has_read, timeout=60)


class Nobody:
    """Nobody watches."""

    def begin(self, what: str, total: int | None) -> None:
        """Nobody sees it."""

    def advance(self, count: int) -> None:
        """Nobody sees it."""


def conversations(count: int, prefix: str = "c") -> list[str]:
    """Names of conversations."""
    return [f"{prefix}{number}" for number in range(count)]


def segment_of(name: str) -> str:
    """The id of a conversation's only segment."""
    return derived_id("segment", name)


@asynccontextmanager
async def past(settings: Settings, pool: Pool) -> AsyncIterator[Past]:
    """A past to which a test adds, with a running persister."""
    incarnation = await incarnation_of(settings, settings.topic(Topic.EVENTS))
    persister = ServiceProcess("persister", settings)
    producer = Producer(settings)
    try:
        await producer.start()
        await asyncio.to_thread(persister.start)
        yield Past(settings, pool, persister, producer, incarnation)
    finally:
        persister.__exit__(None, None, None)
        await producer.stop()
