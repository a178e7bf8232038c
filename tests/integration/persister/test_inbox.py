"""What is written with SQL comes into the tables through the log, once, whatever is killed."""

import asyncio
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from parley import clock
from parley.codec import decode_event
from parley.codec.config import config_record
from parley.config import ConfigChange, GapPolicy
from parley.events import Policy, SessionStarted
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess
from tests.support.publish import TENANT, event, publish
from tests.support.topics import read_records
from tests.support.views import residue
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

RECORD = "SELECT record_message($1, 'user', $2, message_id => $3, channel => $4)::text"


async def record(pool: Any, conversation: str, text: str, name: str, channel: str = "") -> str:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT set_config('parley.tenant_id', $1, true)", TENANT)
        return str(await connection.fetchval(RECORD, conversation, text, name, channel or None))


async def count(pool: Any, condition: str = "true") -> int:
    query = f"SELECT count(*) FROM conversation_messages WHERE {condition}"  # noqa: S608
    return int(await pool.fetchval(query))


async def test_a_message_becomes_a_row_by_way_of_the_log(settings: Settings, pool: Any) -> None:
    started = event("c", SessionStarted(1), session_id="s", user_id="ada")
    await publish(settings, [started])
    policies = '{"sms": {"idle_gap": "PT7M"}}'
    with ServiceProcess("persister", settings, PARLEY_CHANNEL_POLICIES=policies):
        await eventually(lambda: pool.fetchval("SELECT is_active FROM conversation_sessions"))
        recorded_at = clock.now()
        event_id = await record(pool, "c", "hello", "1", "sms")
        assert await record(pool, "c", "hello", "1", "sms") == event_id
        await eventually(lambda: count(pool))
        row = await pool.fetchrow("SELECT *, id::text AS text_id FROM conversation_messages")
        assert (row["text_id"], row["content"]) == (event_id, "hello")
        assert (row["session_id"], row["user_id"]) == ("s", "ada")
        assert abs((row["event_time"] - recorded_at).total_seconds()) < 5
        assert await record(pool, "c", "hello", "1") == event_id
    (said,) = [
        decode_event(one)
        for one in await read_records(settings, Topic.EVENTS)
        if decode_event(one).event_id == event_id
    ]
    assert said.policy.policy_id == "channel:sms"
    assert said.sender.startswith("sql:")


async def test_a_policy_that_an_operator_set_counts_for_what_is_written_with_sql(
    settings: Settings, pool: Any
) -> None:
    producer = Producer(settings)
    policy = Policy(f"tenant:{TENANT}", 1, timedelta(minutes=20))
    change = ConfigChange(TENANT, "me", clock.now(), GapPolicy("", policy))
    await producer.start()
    await producer.send(config_record(settings.topic(Topic.CONFIG), change))
    await producer.stop()
    with ServiceProcess("persister", settings):
        await eventually(lambda: pool.fetchval("SELECT count(*) FROM gap_policies"))
        event_id = await record(pool, "c", "hello", "1", "sms")
        await eventually(lambda: count(pool))
    found = [decode_event(one) for one in await read_records(settings, Topic.EVENTS)]
    assert [one.policy for one in found if one.event_id == event_id] == [policy]


async def test_what_no_consumer_would_take_stays_with_its_reason(
    settings: Settings, pool: Any
) -> None:
    await record(pool, "c" * 600, "hello", "1")
    await record(pool, "c", "x" * 1_000_000, "2")
    for number, said_at in enumerate(("20000-01-01", "0044-03-15 BC", "infinity", "-infinity")):
        await record(pool, "c", "when", f"at {number}")
        change = f"UPDATE operations.inbox SET occurred_at = '{said_at}'"  # noqa: S608
        await pool.execute(f"{change} WHERE client_message_id = $1", f"at {number}")
    await record(pool, "c", "who", "role")
    await pool.execute("UPDATE operations.inbox SET role = 'robot' WHERE content = 'who'")
    await record(pool, "c", "fine", "3")
    with ServiceProcess("persister", settings):
        await eventually(lambda: count(pool))
        rows = await pool.fetch(
            "SELECT client_message_id, refused_reason FROM operations.inbox"
            " WHERE refused_at IS NOT NULL ORDER BY id"
        )
    reasons = [row["refused_reason"].partition(":")[0] for row in rows]
    assert reasons == ["id_too_long", "too_large", "time", "time", "time", "time", "no_event"]
    assert rows[-1]["refused_reason"] == "no_event: ValueError"
    assert await count(pool) == 1


async def test_kill_9_of_the_relay_loses_and_doubles_nothing(settings: Settings, pool: Any) -> None:
    chance, written = Random(9), []
    with ServiceProcess("persister", settings) as one, ServiceProcess("persister", settings) as two:
        for round_number in range(4):
            for number in range(150):
                name = f"{round_number}-{number}"
                written.append(await record(pool, f"c{number % 7}", name, name))
            await asyncio.sleep(chance.uniform(0, 0.3))
            victim = chance.choice([one, two])
            victim.kill()
            victim.start(wait=False)

        async def is_all_there() -> bool:
            return await count(pool) >= len(written)

        await eventually(is_all_there, timeout=60)
    rows = await pool.fetch("SELECT id::text FROM conversation_messages")
    assert sorted(row["id"] for row in rows) == sorted(written)
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await residue(pool) == 0
