"""What tests of slices share."""

from typing import Any

import pytest

from parley.backfilling import runs
from parley.backfilling.request import BackfillRequest
from parley.settings import Settings
from parley.topics import Topic
from services.analyzer.backfilling.slices import (
    SliceStore,
)
from services.analyzer.settings import AnalyzerSettings
from tests.integration.backfilling.past import NEW
from tests.integration.backfilling.slicing import INCARNATION, SEALS, found


@pytest.fixture
def slices(pool: Any, settings: Settings) -> SliceStore:
    own = AnalyzerSettings(**settings.model_dump())
    return SliceStore(pool, own.analyzer_lease, own)


@pytest.fixture
async def run_id(pool: Any, settings: Settings) -> str:
    """A run over one partition of ten seals, which both consumers have read."""
    topic = settings.topic(Topic.SEALS)
    for consumer in ("analyzer", "persister-seals"):
        await pool.execute(
            "INSERT INTO fences (consumer, topic, partition, incarnation, next_offset, owner_epoch,"
            " owner) VALUES ($1, $2, 0, $3, $4, 1, 'test')",
            *(consumer, topic, INCARNATION, SEALS),
        )
    for one in found():
        assert one.sealed is not None
        await pool.execute(
            "INSERT INTO segments (tenant_id, segment_id, conversation_id, revision)"
            " VALUES ('default', $1, $2, 1)",
            *(one.sealed.segment_id, one.sealed.conversation_id),
        )
    begun = await runs.start(pool, BackfillRequest([NEW]), "tester")
    await pool.execute("UPDATE operations.backfill_runs SET topic = $1, prepared_at = now()", topic)
    await pool.execute(
        "INSERT INTO operations.backfill_partitions (run_id, partition, incarnation, begin_offset,"
        " end_offset, next_offset) VALUES ($1, 0, $2, 0, $3, 0)",
        *(begun, INCARNATION, SEALS),
    )
    return begun
