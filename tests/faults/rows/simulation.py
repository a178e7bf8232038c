"""The fence in a simulated world, by seeds."""

import asyncio

from tests.faults.row import Findings, Row
from tests.faults.stage import Stage
from tests.simulation.fence import play


async def run(_: Stage, first: int, count: int) -> Findings:
    """Every number is a seed; the first that fails is told, and `play(seed)` plays it again."""
    problems: list[str] = []
    record_count = 0
    for seed in range(first, first + count):
        try:
            # In a thread, since a simulation is an event loop of its own.
            record_count += await asyncio.to_thread(play, seed)
        except Exception as error:  # noqa: BLE001 - whatever a seed ends with is its finding
            problems.append(f"seed {seed}: {type(error).__name__}: {error}")
    return Findings(acknowledged=record_count, problems=tuple(problems))


ROW = Row(
    "simulated-fence",
    "consumer, claims, fence and outbox with log, store and clock in memory, broken by seeds",
    unit="seeds",
    full=2_000,
    short=0,
    at_once=100,
    run=run,
)
