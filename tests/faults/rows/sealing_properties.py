"""The properties of sealing, by seeds: what hypothesis tries thousands of times, at any length."""

import asyncio
from random import Random

from tests.faults.row import Findings, Row
from tests.faults.stage import Stage
from tests.unit.sealer.properties import check_all
from tests.unit.sealer.strategies import random_log, random_messages


async def run(_: Stage, first: int, count: int) -> Findings:
    """Every number is a seed; each that fails is told, and `play(seed)` plays it again."""
    return await asyncio.to_thread(play_all, first, count)


def play_all(first: int, count: int) -> Findings:
    problems: list[str] = []
    record_count = 0
    for seed in range(first, first + count):
        try:
            record_count += play(seed)
        except Exception as error:  # noqa: BLE001 - whatever a seed ends with is its finding
            problems.append(f"seed {seed}: {type(error).__name__}: {error}")
    return Findings(acknowledged=record_count, problems=tuple(problems))


def play(seed: int) -> int:
    """Ask every property of one log; returns how long it is."""
    chance = Random(seed)
    log = random_log(chance)
    check_all(log, random_messages(chance), chance)
    return len(log)


ROW = Row(
    "sealing-properties",
    "sealing is a pure function of the log: six properties of a made-up log each",
    unit="seeds",
    full=1_000_000,
    short=200,
    at_once=10_000,
    run=run,
)
