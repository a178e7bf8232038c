"""The view of segments as they stand says which one goes on with the talk of another."""

from collections.abc import Callable
from typing import Any

import pytest

from parley.seals import SegmentSealed
from services.persister.core.rows import Place
from services.persister.core.segments import ReceivedSegment
from services.persister.store.seals import SealTables
from tests.unit.sealer.samples import Talk, at

pytestmark = pytest.mark.integration

# Of the talk in these samples, in seconds.
GAP = 100


async def store(pool: Any, seals: list[SegmentSealed]) -> None:
    received = [ReceivedSegment(one, Place("i", 0, n, at(n))) for n, one in enumerate(seals)]
    async with pool.acquire() as connection, connection.transaction():
        await SealTables().write(connection, received)


async def continued(pool: Any) -> dict[int, int | None]:
    """By the second at which a segment begins, when the one begins that it continues."""
    rows = await pool.fetch("SELECT segment_id, started_at, continues FROM current_segments")
    seconds = {row["segment_id"]: int((row["started_at"] - at(0)).total_seconds()) for row in rows}
    return {seconds[row["segment_id"]]: seconds.get(row["continues"]) for row in rows}


def sealed(say: Callable[[Talk], None]) -> list[SegmentSealed]:
    talk = Talk()
    say(talk)
    talk.tick(100_000)
    return talk.seals


async def test_a_segment_continues_the_one_that_ended_up_to_four_gaps_before(pool: Any) -> None:
    def say(talk: Talk) -> None:
        talk.say(1, 0)
        talk.say(2, 4 * GAP)
        talk.say(3, 8 * GAP + 0.001)

    await store(pool, sealed(say))
    assert await continued(pool) == {0: None, 400: 0, 800: None}


async def test_a_segment_continues_only_what_one_of_its_own_said(pool: Any) -> None:
    def say(talk: Talk) -> None:
        talk.say(1, 0, sender="ann")
        talk.say(2, 200, sender="bob")
        talk.say(3, 290, sender="ann")
        talk.say(4, 500, sender="cid")

    await store(pool, sealed(say))
    assert await continued(pool) == {0: None, 200: 0, 500: None}


async def test_what_was_merged_is_not_continued_any_more(pool: Any) -> None:
    talk = Talk()
    for number, seconds in ((1, 0), (2, 190), (3, 400)):
        talk.say(number, seconds)
    talk.tick(1_000)
    await store(pool, talk.seals)
    assert await continued(pool) == {0: None, 190: 0, 400: 190}
    talk.say(4, 95, arrives=1_000)
    talk.tick(2_000)
    assert talk.seals[-1].retracted
    await store(pool, talk.seals)
    assert await continued(pool) == {0: None, 400: 0}
