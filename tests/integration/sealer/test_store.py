"""The sealer's tables in PostgreSQL hold what the core needs, and give it back the same."""

import os
from random import Random
from typing import Any

import pytest

from services.sealer import store
from services.sealer.core import Changes, Decision, PartitionSealer
from tests.unit.sealer.properties import run_at_once
from tests.unit.sealer.strategies import Log, random_log
from tests.unit.sealer.tables import Tables

pytestmark = pytest.mark.integration

SEEDS = int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "40"))
TOPIC = "events"


async def test_batches_over_the_tables_give_the_same_seals_as_one_run_in_memory(pool: Any) -> None:
    for seed in range(SEEDS):
        log = random_log(Random(seed))
        found = await run_over_tables(pool, log, Random(seed))
        assert found == run_at_once(log), f"seed {seed}\n{log}"
        await empty(pool)


async def run_over_tables(pool: Any, log: Log, chance: Random) -> list[Decision]:
    """As a worker does it: recall, fold, save, forget, and now and then a new owner."""
    sealer, fake = PartitionSealer("topic-1", 0), Tables()
    decided: list[Decision] = []
    offset = 0
    while offset < len(log):
        batch = log[offset : offset + chance.randint(1, 6)]
        wants = sealer.wants([event for event, _ in batch if event is not None])
        for history in await store.histories(pool, wants):
            sealer.recall(history)
        for event, append_time in batch:
            decided.extend(sealer.observe(event, append_time, offset))
            offset += 1
        await save(pool, sealer.changes(), fake)
        sealer.forget()
        restored = await store.snapshot(pool, TOPIC, 0)
        assert restored == sealer.snapshot()
        # The fake that the unit tests stand on says the same.
        assert restored == fake.snapshot()
        if chance.random() < 0.3:
            sealer = PartitionSealer.restore("topic-1", 0, restored)
    return decided


async def save(pool: Any, changes: Changes, fake: Tables) -> None:
    fake.save(changes)
    async with pool.acquire() as connection, connection.transaction():
        await store.save(connection, TOPIC, 0, changes)


async def empty(pool: Any) -> None:
    await pool.execute(
        "TRUNCATE sealer_windows, sealer_segments, sealer_members, sealer_cuts, sealer_sessions, "
        "sealer_partitions"
    )
