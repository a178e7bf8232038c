"""One turn of the loop is one moment, and the next turn is another."""

import asyncio
from datetime import UTC, datetime

from services.gateway.stream.turn_clock import TurnClock


async def test_all_who_ask_in_one_turn_are_told_the_same() -> None:
    turns = TurnClock()
    before = datetime.now(UTC)
    first = turns.now()
    assert before <= first <= datetime.now(UTC)
    assert turns.now() is first


async def test_the_next_turn_has_a_time_of_its_own() -> None:
    turns = TurnClock()
    moments = []
    for _ in range(3):
        moments.append(turns.now())
        await asyncio.sleep(0.002)
    assert moments[0] < moments[1] < moments[2]
    assert (moments[2] - moments[0]).total_seconds() >= 0.004
