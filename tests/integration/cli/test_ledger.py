"""`parley ledger`: every record that was read is accounted for, also of a stretch of time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from parley import clock
from parley.codec import Outgoing
from parley.db import pool as database
from parley.log.access import kafka_options
from parley.log.admin import admin_client
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.persister.reading import ledger
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.publish import message, outgoing
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

KINDS = ("stored", "duplicate", "dead_lettered", "not_for_table")


@pytest.fixture
async def tables(migrated: Settings) -> AsyncIterator[Any]:
    made = await database.connect(migrated, max_size=2)
    yield made
    await made.close()


async def publish_at(settings: Settings, records: Sequence[tuple[datetime, Outgoing]]) -> None:
    """Publish records as if they had been appended at other times."""
    topic = settings.topic(Topic.EVENTS)
    configs = {"message.timestamp.type": "CreateTime"}
    async with admin_client(settings) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])
    producer = AIOKafkaProducer(**kafka_options(settings))
    await producer.start()
    try:
        for at, one in records:
            millis = int(at.timestamp() * 1000)
            headers = list(one.headers)
            await producer.send_and_wait(
                topic, one.value, one.key, one.partition, timestamp_ms=millis, headers=headers
            )
    finally:
        await producer.stop()


async def test_any_stretch_of_time_is_accounted_for_by_what_the_log_holds_of_it(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    start = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    records = []
    # Of each four one is new, one its copy, one no event, and one of another conversation.
    for number in range(30):
        at = start + timedelta(seconds=20 * number)
        new = outgoing(migrated, message(f"c{number}", number))
        broken = Outgoing(new.topic, new.key, b"\xff", new.headers)
        other = outgoing(migrated, message("other", number))
        records += [(at + timedelta(seconds=n), one) for n, one in enumerate((new, new, broken))]
        records.append((at + timedelta(seconds=4), other))
    await publish_at(migrated, records)
    with ServiceProcess("persister", migrated, PARLEY_PERSISTER_MAX_BAD_RATIO="1"):
        await eventually(lambda: is_read(migrated, tables, len(records)))
    whole = await asyncio.to_thread(parley.json, "ledger")
    assert tuple(whole["total"][one] for one in KINDS) == (60, 30, 30, 0)
    assert (whole["total"]["consumed"], whole["total"]["residue"]) == (120, 0)
    since, until = start + timedelta(minutes=2, seconds=9), start + timedelta(minutes=3, seconds=30)
    between = ("ledger", "--since", since.isoformat(), "--until", until.isoformat())
    part = await asyncio.to_thread(parley.json, *between)
    # Two whole minutes of three times four records each.
    assert tuple(part["total"][one] for one in KINDS) == (12, 6, 6, 0)
    assert (part["total"]["consumed"], part["total"]["residue"]) == (24, 0)
    assert datetime.fromisoformat(part["since"]) == start + timedelta(minutes=2)
    await tables.execute(
        "UPDATE ledger_minutes SET stored = stored - 1 WHERE (partition, began_at) IN "
        "(SELECT partition, began_at FROM ledger_minutes WHERE stored > 0 AND began_at = $1 "
        "LIMIT 1)",
        start + timedelta(minutes=2),
    )
    wrong = await asyncio.to_thread(parley.json, *between, status=1)
    assert wrong["total"]["residue"] == 1


async def is_read(settings: Settings, tables: Any, count: int) -> bool:
    return (await ledger(tables, settings, Topic.EVENTS)).consumed >= count


async def test_minutes_of_long_ago_become_hours_and_sum_up_to_the_same(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    start = clock.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=40)
    records = [
        (start + timedelta(minutes=7 * n), outgoing(migrated, message("c", n))) for n in range(20)
    ]
    await publish_at(migrated, records)
    with ServiceProcess("persister", migrated):
        await eventually(lambda: is_read(migrated, tables, len(records)))
    assert await tables.fetchval("SELECT count(*) FROM ledger_minutes") == 20
    with ServiceProcess("persister", migrated):

        async def are_gathered() -> bool:
            return bool(await tables.fetchval("SELECT count(*) = 3 FROM ledger_minutes"))

        await eventually(are_gathered)
    until = (start + timedelta(minutes=30)).isoformat()
    found = await asyncio.to_thread(
        parley.json, "ledger", "--since", start.isoformat(), "--until", until
    )
    # The hour around it: at minutes 0, 7, ... 56.
    assert (found["total"]["consumed"], found["total"]["stored"]) == (9, 9)
    assert found["total"]["residue"] == 0


async def test_what_gateways_acknowledged_stands_beside_it_and_is_never_more(
    migrated: Settings, parley: Command, tables: Any
) -> None:
    with ServiceProcess("persister", migrated), ServiceProcess("gateway", migrated) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as http:
            for number in range(5):
                body = {"text": "hello", "role": "user", "id": str(number)}
                answered = await http.post("/api/v2/conversations/c/messages", json=body)
                assert answered.status_code == 201, answered.text
        await eventually(lambda: is_read(migrated, tables, 5))
        for stretch in ((), ("--since", "1h")):
            found = await asyncio.to_thread(
                parley.json, "ledger", "--gateway", gateway.url, *stretch
            )
            (one,) = found["gateways"]
            assert one["acknowledged"] == found["total"]["stored"] == 5
        past = await asyncio.to_thread(
            parley.json, "ledger", "--gateway", gateway.url, "--since", "2h", "--until", "1h"
        )
        assert past["gateways"][0]["acknowledged"] == past["total"]["consumed"] == 0
        gone = gateway.url
    text = await asyncio.to_thread(parley, "ledger", "--gateway", gone)
    assert text.returncode == 0, said(text)
    assert b"refused" in text.stdout
