"""A broker whose log was cut off: its partition stops and says so, and everything comes back."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from parley.db import pool as database
from parley.log.admin import apply_topics, topic_ends
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.incarnations.broker_loss import OwnBroker, own_broker
from tests.integration.incarnations.test_grow import MOMENTS, die, positions, successor
from tests.integration.incarnations.world import (
    Talk,
    assert_all_is_well,
    at_rest,
    published,
    services,
    told,
)
from tests.support.command import Command, said
from tests.support.passes import apply_shipped
from tests.support.views import view
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

REPAIR = ("topics", "repair", "events")
LOST = 1_000


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnBroker]:
    with own_broker(tmp_path) as made:
        yield made


async def prepared(broker: OwnBroker, schema: str) -> Any:
    connection = await asyncpg.connect(broker.settings.database_url.get_secret_value())
    await connection.execute(schema)
    await connection.close()
    await apply_topics(broker.settings)
    await apply_shipped(broker.settings)
    return await database.connect(broker.settings)


async def longest_partition(settings: Settings) -> int:
    ends = await topic_ends(settings, settings.topic(Topic.EVENTS))
    return max(ends, key=lambda one: one.end).partition


async def stopped(pool: Any) -> str:
    async def reason() -> str | None:
        found: str | None = await pool.fetchval(
            "SELECT stopped_reason FROM fences WHERE stopped_reason IS NOT NULL LIMIT 1"
        )
        return found

    return str(await eventually(reason))


async def test_a_thousand_records_that_the_broker_lost_come_back(
    broker: OwnBroker, schema: str
) -> None:
    settings = broker.settings
    pool = await prepared(broker, schema)
    talk = Talk(settings)
    with services(settings):
        await talk.go_on(5_000)
        await at_rest(settings, pool)
    before, places = await view(pool), await positions(pool)
    partition = await longest_partition(settings)
    left = await asyncio.to_thread(broker.cut, settings.topic(Topic.EVENTS), partition, LOST)
    # Gateways go on writing, where the lost records were too.
    await talk.go_on(50)
    with services(settings, "persister", "sealer", probe="/livez"):
        assert "parley topics repair" in await stopped(pool)
    stood = await view(pool)

    command = Command(settings)
    tried = await asyncio.to_thread(command.json, *REPAIR, "--dry-run")
    assert [(one["partition"], one["kept"]) for one in tried] == [(partition, left)]
    for moment in MOMENTS:
        await asyncio.to_thread(die, settings, moment, *REPAIR)
    ended = await asyncio.to_thread(command, *REPAIR)
    assert ended.returncode == 0, said(ended)
    assert await view(pool) == stood

    mended = successor(settings, 4)
    talk.settings = mended
    with services(mended):
        await at_rest(mended, pool)
        await talk.go_on(200)
        await at_rest(mended, pool)
    await assert_all_is_well(mended, pool, talk)
    known = {row["event_id"]: row for row in places}
    assert [row for row in await positions(pool) if row["event_id"] in known] == places
    after = {row[:2] for row in (await view(pool))["messages"]}
    assert all(row[:2] in after for row in before["messages"])
    await pool.close()


@pytest.mark.parametrize("has_outbox", [pytest.param(True, marks=pytest.mark.long), False])
async def test_seals_and_verdicts_that_the_broker_lost_come_back(
    broker: OwnBroker, schema: str, has_outbox: bool
) -> None:
    settings = broker.settings
    pool = await prepared(broker, schema)
    talk = Talk(settings)
    with services(settings):
        await talk.go_on(1_500)
        await at_rest(settings, pool)
    before, sealed = await view(pool), told(await published(settings))
    if not has_outbox:
        # As it is after a day.
        await pool.execute("DELETE FROM outbox")
    names: dict[str, str] = {}
    for kind in (Topic.SEALS, Topic.ANALYSES):
        ends = await topic_ends(settings, settings.topic(kind))
        longest = max(ends, key=lambda one: one.end)
        await asyncio.to_thread(
            broker.cut, settings.topic(kind), longest.partition, longest.end // 2
        )
        name = kind.removeprefix("parley.").removesuffix(".v1")
        ended = await asyncio.to_thread(Command(settings), "topics", "repair", name)
        assert ended.returncode == 0, said(ended)
        names[kind.value] = f"{kind}-2"
    mended = settings.model_copy(update={"topic_names": names})
    assert told(await published(mended)) == sealed
    talk.settings = mended
    with services(mended):
        await at_rest(mended, pool)
        assert await view(pool) == before
        await talk.go_on(200)
        await at_rest(mended, pool)
    await assert_all_is_well(mended, pool, talk)
    await pool.close()
