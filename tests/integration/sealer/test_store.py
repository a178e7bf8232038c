"""The sealer's tables in PostgreSQL hold what the core needs, and give it back the same."""

import os
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from parley.events import Event
from services.sealer import store
from services.sealer.core import BEGINNING, Changes, Decision, Outline, PartitionSealer, rejected
from services.sealer.store import rows
from services.sealer.store.saving import SQL
from tests.support.publish import message
from tests.unit.sealer.properties import check_memory, run_at_once
from tests.unit.sealer.strategies import Log, random_log
from tests.unit.sealer.tables import Tables

pytestmark = pytest.mark.integration

SEEDS = int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "40"))
TOPIC = "events"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


async def test_batches_over_the_tables_give_the_same_seals_as_one_run_in_memory(pool: Any) -> None:
    for seed in range(SEEDS):
        log = random_log(Random(seed))
        found = await run_over_tables(pool, log, Random(seed))
        assert found == run_at_once(log), f"seed {seed}\n{log}"
        await empty(pool)


async def test_what_a_batch_asks_for_is_looked_up_and_no_table_read_whole(pool: Any) -> None:
    await pool.execute(
        "INSERT INTO sealer_sessions"
        " SELECT 't', 'c' || n, 's', 0, 1, true, false, false, now(), now()"
        "  FROM generate_series(1, 20000) AS n"
    )
    await pool.execute(
        "INSERT INTO sealer_members"
        " SELECT 't', 'c', gen_random_uuid(), gen_random_uuid(), now(), n, NULL"
        "  FROM generate_series(1, 20000) AS n"
    )
    await pool.execute("ANALYZE sealer_sessions, sealer_members")
    keys = (["t"] * 2_000, [f"c{number}" for number in range(2_000)])
    ids = [str(row["event_id"]) for row in await pool.fetch("SELECT event_id FROM sealer_members")]
    asked = [{"tenant_id": "t", "conversation_id": "c", "event_ids": ids[:2_000]}]
    for query, arguments in (("stored", keys), ("known", [rows.as_json(asked)])):
        plan = await pool.fetch(f"EXPLAIN (ANALYZE, COSTS OFF) {SQL[query]}", *arguments)
        text = "\n".join(row[0] for row in plan)
        assert "Seq Scan on sealer_members" not in text
        assert "Seq Scan on sealer_sessions" not in text
        assert "Hash Join" not in text
    await empty(pool)


async def test_between_an_old_message_and_a_live_one_nothing_is_recalled(pool: Any) -> None:
    talk = [message("c", n, at=NOON + n * DAY, received_at=NOON) for n in range(200)]
    sealer = PartitionSealer("topic-1", 0)
    for offset, one in enumerate(talk):
        sealer.observe(one, NOON + offset * DAY, offset)
    sealer.observe(None, NOON + 200 * DAY, 200)
    await save(pool, sealer.changes(), Tables())
    old = message("c", 1_000, at=NOON, received_at=NOON)
    live = message("c", 1_001, at=NOON + 199 * DAY, received_at=NOON)
    wants = PartitionSealer("topic-1", 0).wants([old, live])
    [history] = await store.histories(pool, wants)
    assert {one.record.first[0] for one in history.segments} == {NOON, NOON + 199 * DAY}
    # So many messages, each apart from the others: what they touch, and little between.
    many = [message("c", 2_000 + n, at=NOON + 15 * n * DAY, received_at=NOON) for n in range(13)]
    wants = PartitionSealer("topic-1", 0).wants(many)
    [history] = await store.histories(pool, wants)
    found = {one.record.first[0] for one in history.segments}
    assert {NOON + 15 * n * DAY for n in range(13)} <= found
    await empty(pool)


async def run_over_tables(pool: Any, log: Log, chance: Random) -> list[Decision]:
    """As a worker does it: recall, fold, save, forget, and now and then a new owner."""
    sealer, fake = PartitionSealer("topic-1", 0), Tables()
    decided: list[Decision] = []
    offset = 0
    while offset < len(log):
        batch = log[offset : offset + chance.randint(1, 6)]
        events = [event for event, _ in batch if event is not None]
        await wake(pool, sealer, events, max(time for _, time in batch))
        wants = sealer.wants(events)
        for history in await store.histories(pool, wants):
            sealer.recall(history)
        for event, append_time in batch:
            decided.extend(sealer.observe(event, append_time, offset))
            offset += 1
        await save(pool, sealer.changes(), fake)
        sealer.forget()
        # The fake that the unit tests stand on says the same.
        restored = await store.snapshot(pool, TOPIC, 0)
        assert restored == fake.snapshot()
        outline = await store.outline(pool, TOPIC, 0)
        assert in_order(outline) == in_order(fake.outline())
        check_memory(sealer, fake)
        if chance.random() < 0.1:
            sealer = PartitionSealer.restore("topic-1", 0, restored)
        elif chance.random() < 0.3:
            sealer = PartitionSealer.asleep("topic-1", 0, outline)
            await wake(pool, sealer, [], BEGINNING)
    return decided


async def wake(pool: Any, sealer: PartitionSealer, events: list[Event], until: datetime) -> None:
    holders = await store.holders(pool, rejected(events))
    keys = sealer.waking(events, until, holders)
    sealer.wake(await store.remembered(pool, TOPIC, 0, keys))


def in_order(outline: Outline) -> list[Any]:
    windows = [(key, deadline or BEGINNING) for key, deadline in outline.windows]
    return [outline.partition, sorted(windows), sorted(outline.sessions)]


async def save(pool: Any, changes: Changes, fake: Tables) -> None:
    fake.save(changes)
    async with pool.acquire() as connection, connection.transaction():
        await store.save(connection, TOPIC, 0, changes)


async def empty(pool: Any) -> None:
    await pool.execute(
        "TRUNCATE sealer_windows, sealer_segments, sealer_members, sealer_cuts, sealer_sessions, "
        "sealer_partitions"
    )
