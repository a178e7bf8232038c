"""Money is locked in one order: days before backfills, by who reserves and by who settles."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from parley.analyses import Charge, ChargeRecorded, Lane
from parley.db.pool import Pool
from parley.ids import random_id
from services.analyzer.core.budget import Limits
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import Reservation, Slots, money
from services.analyzer.store.rows import SQL
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import DECIDED_OFFSET, NOON, Tables, own_talk, sealed
from tests.support.wait import eventually
from tests.unit.analyzer.fake_model import FakeModel

pytestmark = pytest.mark.integration

RUN = "3f8b8a52-0000-4000-8000-000000000002"


class Held:
    """A connection that stands still between the day's lock and the backfill's."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self.has_the_day = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def execute(self, query: str, *arguments: Any) -> Any:
        return await self._connection.execute(query, *arguments)

    async def fetch(self, query: str, *arguments: Any) -> Any:
        return await self._connection.fetch(query, *arguments)

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        if query == SQL["reserve_run"]:
            self.has_the_day.set()
            await self.goes_on.wait()
        return await self._connection.fetchval(query, *arguments)


def charge() -> Charge:
    return Charge(random_id(), NOON.date(), Lane.BACKFILL, RUN, 100)


async def test_who_settles_a_call_of_a_backfill_and_who_reserves_one_never_wait_for_each_other(
    pool: Pool, own_settings: AnalyzerSettings, tables: Tables
) -> None:
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    prompting = Prompting(pool, own_settings, FakeModel())
    for name in "cd":
        await tables.say(name, own_talk(name))
        own = {"lane": Lane.BACKFILL, "backfill_run_id": RUN}
        await prompting.read(sealed(name, own_talk(name)), **own)
    claim = await prompting.store.claim([prompting.passes[0].fingerprint], Slots(2, 2))
    first, second = claim.attempts
    reserved = charge()
    of_first = Reservation(claim.token, first, reserved, Limits(), "w")
    assert await prompting.store.reserve([of_first]) == [None]
    of_second = Reservation(claim.token, second, charge(), Limits(), "w")

    async with pool.acquire() as one, pool.acquire() as other:
        held = Held(one)
        paid = ChargeRecorded(first.job.ref, replace(reserved, actual_micro_usd=40))
        async with one.transaction():
            reserving = asyncio.create_task(
                money.reserve(held, [of_second], own_settings.analyzer_lease)
            )
            await held.has_the_day.wait()
            settling = asyncio.create_task(money.apply(other, [paid]))
            # It waits for the day, and must hold nothing that the other one still needs.
            await eventually(lambda: waits_for_a_lock(pool))
            held.goes_on.set()
            await asyncio.wait_for(reserving, 15)
        await asyncio.wait_for(settling, 15)
    assert await prompting.spent() == (0, 140)
    assert await pool.fetchval("SELECT spent_micro_usd FROM operations.run_spend") == 140


async def waits_for_a_lock(pool: Pool) -> bool:
    return bool(
        await pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            " AND datname = current_database()"
        )
    )
