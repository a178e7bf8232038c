"""The same events three times and shuffled end in the same tables."""

from parley.db import pool as database
from tests.faults.row import Findings, Row
from tests.faults.stage import Stage
from tests.integration.persister.test_any_order import assert_order_does_not_matter


async def run(stage: Stage, first: int, count: int) -> Findings:
    """Every number is the seed of a log and of its shuffling."""
    async with stage.fresh() as settings:
        pool = await database.connect(settings)
        try:
            for seed in range(first, first + count):
                await assert_order_does_not_matter(pool, seed)
        finally:
            await pool.close()
    return Findings()


ROW = Row(
    "any-order",
    "every event three times, shuffled, in batches of any size: the same conversations, sessions "
    "and messages",
    unit="seeds",
    full=500,
    short=5,
    at_once=125,
    run=run,
)
