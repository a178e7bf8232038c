"""A pass that takes longer than it may is given up, and takes no other job along."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from parley.passes.code import CodePass, Output, SegmentText
from services.analyzer.core.outcomes import Attempting, Outcome
from services.analyzer.in_time import MOST_HANGING, PassesHang, Thread
from services.analyzer.known import FixedPasses
from services.analyzer.runner import Runner
from tests.support.wait import eventually
from tests.unit.analyzer.samples import attempt_at, code_pass, segment, user

MEMBERS = [user(0, "hello")]
RULES = Attempting("w", first_rest=timedelta(seconds=1))


def quick(_: SegmentText) -> Output:
    return {}


def in_time(one: CodePass) -> CodePass:
    definition = replace(one.definition, timeout=timedelta(milliseconds=60))
    return CodePass(definition, one.run)


async def outcomes_of(*passes: CodePass) -> list[Outcome]:
    of = segment(MEMBERS)
    runner = Runner(FixedPasses(passes), RULES)
    attempts = [attempt_at(one, of) for one in passes]
    return await Thread(runner, attempts, {of: MEMBERS}).outcomes()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """What a hanging pass waits for."""
    monkeypatch.setattr(Thread, "hanging_count", 0)
    return threading.Event()


async def test_a_pass_that_hangs_fails_and_the_others_are_as_before(gate: threading.Event) -> None:
    def hangs(_: SegmentText) -> Output:
        gate.wait()
        return {}

    passes = [code_pass("a", quick), code_pass("b", hangs), code_pass("c", quick)]
    found = await outcomes_of(*map(in_time, passes))
    gate.set()
    assert [(one.state, one.reason) for one in found] == [
        ("verdict", ""),
        ("open", "timeout"),
        ("open", "behind_a_timeout"),
    ]
    assert [(one.failure_count, one.released_count) for one in found] == [(0, 0), (1, 0), (0, 1)]


async def test_many_quick_jobs_may_take_longer_than_one_may(gate: threading.Event) -> None:
    def takes_a_while(_: SegmentText) -> Output:
        gate.wait(0.03)
        return {}

    passes = [in_time(code_pass(f"p{number}", takes_a_while)) for number in range(6)]
    assert {one.state for one in await outcomes_of(*passes)} == {"verdict"}


async def test_threads_that_come_to_an_end_late_hang_no_more(gate: threading.Event) -> None:
    def hangs(_: SegmentText) -> Output:
        gate.wait()
        return {}

    for _ in range(MOST_HANGING + 1):
        gate.clear()
        assert [one.reason for one in await outcomes_of(in_time(code_pass("b", hangs)))] == [
            "timeout"
        ]
        assert Thread.hanging_count == 1
        gate.set()
        await eventually(are_none_hanging, timeout=5, every=0.005)


async def are_none_hanging() -> bool:
    return Thread.hanging_count == 0


async def test_where_too_many_threads_hang_the_process_ends(gate: threading.Event) -> None:
    def hangs(_: SegmentText) -> Output:
        gate.wait()
        return {}

    for _ in range(MOST_HANGING):
        await outcomes_of(in_time(code_pass("b", hangs)))
    with pytest.raises(PassesHang):
        await outcomes_of(in_time(code_pass("b", hangs)))
    gate.set()
