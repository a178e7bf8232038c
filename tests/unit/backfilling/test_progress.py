"""How far a backfill is, in whichever order and from wherever it reads."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from parley.backfilling import runs
from parley.backfilling.runs import RunState
from tests.unit.cli.test_backfill import NOON, SENTIMENT
from tests.unit.cli.test_backfill import progress as sample

RUN = sample().run


class Tables:
    """Answers the four questions of `progress` in their order."""

    def __init__(
        self,
        partition: dict[str, Any],
        jobs: Sequence[dict[str, Any]] = (),
        suspended: Sequence[dict[str, Any]] = (),
    ) -> None:
        self._answers = [[partition], list(jobs), [], list(suspended)]

    async def fetch(self, *_: Any) -> list[dict[str, Any]]:
        return self._answers.pop(0)


def partition_at(next_offset: int, *, is_done: bool = False) -> dict[str, Any]:
    return {
        "run_id": RUN.id,
        "begin_offset": 10,
        "end_offset": 30,
        "next_offset": next_offset,
        "is_done": is_done,
        "lost_count": 0,
        "is_held": True,
        "counts": "{}",
    }


async def passed(next_offset: int, *, is_done: bool = False, **reading: bool) -> int:
    partition = partition_at(next_offset, is_done=is_done)
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


async def suspended(
    *states: str, fingerprint: str = "f", state: RunState = RunState.RUNNING, **run: Any
) -> list[str]:
    """The passes that a run waits for whose jobs are in these states."""
    jobs = [
        {"run_id": RUN.id, "pass_name": SENTIMENT.name, "state": one, "reason": "", "jobs": 1}
        for one in states
    ]
    known = {
        "fingerprint": fingerprint,
        "pass_name": SENTIMENT.name,
        "pass_version": SENTIMENT.version,
        "reason": "bad_key",
        "since": NOON,
        "analyzer_count": 0,
    }
    tables = Tables(partition_at(30, is_done=True), jobs, [known])
    (found,) = await runs.progress(cast(Any, tables), [replace(RUN, state=state, **run)])
    return [one.pass_name for one in found.suspended]


async def test_a_run_waits_for_a_suspended_pass_of_which_jobs_are_left() -> None:
    assert await suspended("open") == ["sentiment"]
    assert await suspended("verdict", "claimed") == ["sentiment"]
    assert await suspended("verdict", "parked") == []


async def test_it_waits_for_one_whose_jobs_are_still_to_be_made() -> None:
    assert await suspended(enqueued_at=None) == ["sentiment"]


async def test_it_waits_for_no_other_pass_and_not_where_it_does_not_run() -> None:
    assert await suspended("open", fingerprint="another") == []
    for state in (RunState.PAUSED, RunState.FINISHED):
        assert await suspended("open", state=state) == []
