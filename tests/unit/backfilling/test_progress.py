"""How far a backfill is, in whichever order and from wherever it reads."""

from dataclasses import replace
from typing import Any, cast

import pytest

from parley.backfilling import runs
from tests.unit.cli.test_backfill import progress as sample

RUN = sample().run


class Tables:
    """Answers the three questions of `progress` in their order."""

    def __init__(self, partition: dict[str, Any]) -> None:
        self._answers = [[partition], [], []]

    async def fetch(self, *_: Any) -> list[dict[str, Any]]:
        return self._answers.pop(0)


async def passed(next_offset: int, *, is_done: bool = False, **reading: bool) -> int:
    partition = {
        "run_id": RUN.id,
        "begin_offset": 10,
        "end_offset": 30,
        "next_offset": next_offset,
        "is_done": is_done,
        "lost_count": 0,
        "is_held": True,
        "counts": "{}",
    }
    run = replace(RUN, **cast(Any, reading))
    (found,) = await runs.progress(cast(Any, Tables(partition)), [run])
    assert found.total == 20
    return found.passed


async def test_oldest_first_the_place_goes_up() -> None:
    assert (await passed(10), await passed(17), await passed(30)) == (0, 7, 20)


async def test_newest_first_the_place_in_the_log_goes_down() -> None:
    places = (30, 23, 10)
    assert [await passed(one, is_newest_first=True) for one in places] == [0, 7, 20]


@pytest.mark.parametrize("is_newest_first", [False, True])
async def test_of_stored_segments_the_place_counts_what_was_passed(is_newest_first: bool) -> None:
    reading = {"is_from_segments": True, "is_newest_first": is_newest_first}
    assert [await passed(one, **reading) for one in (10, 17)] == [0, 7]


async def test_what_is_done_was_passed_whatever_its_place_says() -> None:
    assert await passed(12, is_done=True) == 20
