"""Compares the live tables with what the log gives, while everything goes on.

The log is replayed into a schema of its own by the same code that fills the live tables, up to
exactly where those stand; so a second implementation of what a table should hold, with faults of
its own, is not needed. It takes as much disk again as the tables, until it is done.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import Table

from parley import retaining
from parley.db.pool import Connection, Pool
from parley.db.schema.analysis import segment_revisions, segments
from parley.log.admin import topic_ends
from parley.rebuilding import shadow
from parley.rebuilding.children import Targets, start_all, stop_all
from parley.rebuilding.comparing import TABLES, Difference, differences
from parley.rebuilding.replaying import (
    REPLAYED_TOPICS,
    Consumers,
    Counter,
    Watch,
    check_logs,
    consumers_of,
    distance,
    have_tables,
    locked,
    log_ends,
    mark,
    patient,
    pools,
    positions,
)
from parley.rebuilding.seals import SealCheck, SealDifference, Unreplayed
from parley.rebuilding.shadow import LIVE, SQL
from parley.settings import Settings
from parley.topics import Topic

SCHEMA: Final = "parley_verify"


class Scope(Enum):
    """What is compared: every table, or what the sealer decided alone."""

    EVERYTHING = "everything"
    SEALS = "seals"

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables whose rows are compared."""
        return TABLES if self is Scope.EVERYTHING else (segments, segment_revisions)

    def reads(self, consumer: str) -> bool:
        """Whether a consumer's replay is wanted."""
        return self is Scope.EVERYTHING or consumer in ("sealer", "persister-seals")


@dataclass(frozen=True, slots=True)
class Verified:
    """What a comparison found; `behind` is how many records the live tables have still to read.

    `not_compared` says, a sentence each, what the log cannot give any more.
    """

    records: int
    seconds: float
    seals_compared: int
    behind: int
    differences: tuple[Difference, ...]
    not_compared: tuple[str, ...] = ()


async def verify(
    settings: Settings, watch: Watch, limit: int, scope: Scope = Scope.EVERYTHING
) -> Verified:
    """Compare, and name at most `limit` differences a table. Raises UserError."""
    async with locked(settings) as connection:
        await have_tables(settings)
        await check_logs(settings, REPLAYED_TOPICS if scope is Scope.EVERYTHING else [Topic.SEALS])
        await shadow.prepare(connection, SCHEMA, mark(), is_anew=True)
        try:
            async with patient(settings) as beside:
                await shadow.finish(connection, beside, SCHEMA)
            replayers = await start_all(settings, SCHEMA)
            try:
                comparison = _Comparison(settings, watch, limit, scope)
                counter = Counter(replayers, watch)
                return await comparison.run(counter, consumers_of(replayers))
            finally:
                await stop_all(replayers)
        finally:
            await shadow.drop(connection, SCHEMA)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """One comparison, with the limit and the scope that were asked for."""

    settings: Settings
    watch: Watch
    limit: int
    scope: Scope

    async def run(self, counter: Counter, consumers: Consumers) -> Verified:
        """Replay to where the live tables stand, and compare."""
        wanted = {name: topic for name, topic in consumers.items() if self.scope.reads(name)}
        late = await self._late_partitions()
        async with pools(self.settings, SCHEMA) as (live, replayed):
            standing = await _standing(live, wanted, late)
            self.watch.begin("replaying", sum(sum(ends.values()) for ends in standing.values()))
            await counter.run(standing)
            seals = SealCheck(replayed, self.settings, late)
            await seals.begin()
            async with _snapshot(self.settings) as moment:
                standing = await _standing(moment, wanted, late)
                await counter.run(standing)
                for kept in await retaining.recorded(self.settings, moment):
                    # What the live tables have deleted is in the log still.
                    await retaining.keep(replayed, kept)
                found = await self._compare_tables(moment, replayed)
                found += await self._compare_seals(moment, seals)
            behind = distance(standing, await log_ends(self.settings, wanted))
            return Verified(
                counter.records,
                counter.seconds,
                await seals.count(),
                behind,
                tuple(found),
                self._not_compared(late),
            )

    async def _late_partitions(self) -> Unreplayed:
        """Partitions of the events topic whose beginning is gone."""
        ends = await topic_ends(self.settings, self.settings.topic(Topic.EVENTS))
        late = frozenset(one.partition for one in ends if one.beginning > 0)
        return Unreplayed(late, len(ends))

    def _not_compared(self, late: Unreplayed) -> tuple[str, ...]:
        topic = self.settings.topic(Topic.EVENTS)
        return tuple(
            f"The seals of {topic}/{number} were not compared with its events: the log does not "
            "begin at offset 0 any more."
            for number in sorted(late.partitions)
        )

    async def _compare_tables(self, moment: Connection, replayed: Pool) -> list[Difference]:
        self.watch.begin("comparing tables", len(self.scope.tables))

        def compared(_: Table) -> None:
            self.watch.advance(1)

        async with replayed.acquire() as connection:
            tables = self.scope.tables
            return await differences(moment, connection, self.limit, compared, tables)

    async def _compare_seals(self, moment: Connection, seals: SealCheck) -> list[Difference]:
        """The topic's decisions, and those that wait for their relay, with the replay's."""
        self.watch.begin("comparing seals", None)
        waiting = await moment.fetch(SQL["waiting_seals"].format(live=LIVE))
        await seals.update()
        await seals.add_waiting(waiting)
        found = await seals.not_given(self.limit, is_ahead=False, in_all_facts=True)
        found += await seals.not_published(self.limit)
        return [_as_difference(one) for one in found]


async def _standing(live: Any, consumers: Consumers, late: Unreplayed) -> Targets:
    """How far the live tables have read, but for what the log cannot give."""
    found = await positions(live, LIVE)
    return {
        name: {
            partition: offset
            for partition, offset in found.get(name, {}).items()
            if name != "sealer" or partition not in late.partitions
        }
        for name in consumers
    }


@asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[Connection]:
    """The live tables as they are at one moment, with the fences of that moment."""
    async with (
        patient(settings) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


def _as_difference(one: SealDifference) -> Difference:
    subject = one.subject if " " in one.subject else f"segment {one.subject}"
    row = f"tenant_id={one.tenant_id}, {subject}, revision={one.revision}"
    row = f"{row}, conversation_id={one.conversation_id}"
    return Difference(one.kind, "seals topic", row, one.columns)
