"""Compares the live tables with what the log gives, while everything goes on.

The log is replayed into a schema of its own by the same code that fills the live tables, up to
exactly where those stand; so a second implementation of what a table should hold, with faults of
its own, is not needed. It takes as much disk again as the tables, until it is done.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table

from parley import retaining
from parley.db.pool import Connection, Pool
from parley.rebuilding import shadow
from parley.rebuilding.children import Targets, start_all, stop_all
from parley.rebuilding.comparing import TABLES, Difference, differences
from parley.rebuilding.replaying import (
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
from parley.rebuilding.seals import SealCheck, SealDifference
from parley.rebuilding.shadow import LIVE, SQL
from parley.settings import Settings

SCHEMA: Final = "parley_verify"


@dataclass(frozen=True, slots=True)
class Verified:
    """What a comparison found; `behind` is how many records the live tables have still to read."""

    records: int
    seconds: float
    seals_compared: int
    behind: int
    differences: tuple[Difference, ...]


async def verify(settings: Settings, watch: Watch, limit: int) -> Verified:
    """Compare, and name at most `limit` differences a table. Raises UserError."""
    async with locked(settings) as connection:
        await have_tables(settings)
        await check_logs(settings)
        await shadow.prepare(connection, SCHEMA, mark(), is_anew=True)
        try:
            replayers = await start_all(settings, SCHEMA)
            try:
                counter = Counter(replayers, watch)
                consumers = consumers_of(replayers)
                return await _verify(settings, watch, counter, consumers, limit)
            finally:
                await stop_all(replayers)
        finally:
            await shadow.drop(connection, SCHEMA)


async def _verify(
    settings: Settings, watch: Watch, counter: Counter, consumers: Consumers, limit: int
) -> Verified:
    async with pools(settings, SCHEMA) as (live, replayed):
        standing = await _standing(live, consumers)
        watch.begin("replaying", sum(map(sum, (ends.values() for ends in standing.values()))))
        await counter.run(standing)
        seals = SealCheck(replayed, settings)
        await seals.begin()
        async with _snapshot(settings) as moment:
            standing = await _standing(moment, consumers)
            await counter.run(standing)
            for kept in await retaining.recorded(moment):
                # What the live tables have deleted is in the log still.
                await retaining.keep(replayed, kept)
            found = await _compare_tables(moment, replayed, watch, limit)
            found += await _compare_seals(moment, seals, watch, limit)
        behind = distance(standing, await log_ends(settings, consumers))
        return Verified(counter.records, counter.seconds, await seals.count(), behind, tuple(found))


async def _standing(live: Any, consumers: Consumers) -> Targets:
    found = await positions(live, LIVE)
    return {name: found.get(name, {}) for name in consumers}


@asynccontextmanager
async def _snapshot(settings: Settings) -> AsyncIterator[Connection]:
    """The live tables as they are at one moment, with the fences of that moment."""
    async with (
        patient(settings) as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        yield connection


async def _compare_tables(
    moment: Connection, replayed: Pool, watch: Watch, limit: int
) -> list[Difference]:
    watch.begin("comparing tables", len(TABLES))

    def compared(_: Table) -> None:
        watch.advance(1)

    async with replayed.acquire() as connection:
        return await differences(moment, connection, limit, compared)


async def _compare_seals(
    moment: Connection, seals: SealCheck, watch: Watch, limit: int
) -> list[Difference]:
    """The topic's decisions, and those that wait for their relay, with the replay's."""
    watch.begin("comparing seals", None)
    waiting = await moment.fetch(SQL["waiting_seals"].format(live=LIVE))
    await seals.update()
    await seals.add_waiting(waiting)
    found = await seals.not_given(limit, is_ahead=False) + await seals.not_published(limit)
    return [_as_difference(one) for one in found]


def _as_difference(one: SealDifference) -> Difference:
    subject = one.subject if " " in one.subject else f"segment {one.subject}"
    row = f"tenant_id={one.tenant_id}, {subject}, revision={one.revision}"
    return Difference(one.kind, "seals topic", f"{row}, conversation_id={one.conversation_id}", "")
