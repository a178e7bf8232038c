"""A tracker's end: what it waits for, what it reports, and programs that forget it."""

import asyncio
import os
import sys
import threading

import pytest

from parley import clock
from parley.client import Tracker
from tests.support.processes import ROOT
from tests.unit.client.gateways import Gateway, Peer, Taken
from tests.unit.client.tracker.trackers import closed, flushed, tracking, until


async def test_close_waits_for_answers_and_reports_nothing_open(gateway: Gateway) -> None:
    async def late(taken: Taken) -> None:
        await asyncio.sleep(0.05)
        await gateway.acknowledge(taken)

    gateway.answer = late
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    for number in range(5):
        tracker.track_message(session, "user", str(number))
    tracker.end_session(session)
    left_open = tracker.start_session("d")
    report = await closed(tracker)
    assert report.is_complete
    assert report.acknowledged == 5
    assert not tracker.track_message(left_open, "user", "late")
    assert not tracker.end_session(left_open)
    assert tracker.get_stats().refused_closed == 1
    assert not tracker.track_message(tracker.start_session("d"), "user", "late")
    assert await closed(tracker) == report
    assert not [one for one in threading.enumerate() if one.name == "parley-tracker"]


async def test_close_reports_what_nobody_acknowledged(gateway: Gateway) -> None:
    async def ignore_some(taken: Taken) -> None:
        if taken.payload["text"] != "lost":
            await gateway.acknowledge(taken)

    gateway.answer = ignore_some
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    for text in ("a", "lost", "b"):
        tracker.track_message(session, "user", text)
    tracker.end_session(session)
    began_s = clock.monotonic()
    report = await closed(tracker, 0.5)
    assert clock.monotonic() - began_s < 3
    assert not report.is_complete
    [lost] = [one.id for one in gateway.taken if one.payload["text"] == "lost"]
    assert report.unacknowledged == {session: (lost,)}
    assert report.unended_sessions == (session,)
    assert (report.acknowledged, report.kept_in_spool) == (2, 0)


async def test_close_does_not_wait_for_a_gateway_that_says_nothing(gateway: Gateway) -> None:
    leaving = asyncio.Event()

    async def keep_silent(_: Peer) -> bool:
        await leaving.wait()
        return False

    gateway.greet = keep_silent
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    tracker.track_message(session, "user", "x")
    await until(lambda: gateway.peers)
    began_s = clock.monotonic()
    report = await closed(tracker, 0.2)
    leaving.set()
    assert clock.monotonic() - began_s < 2.5
    assert len(report.unacknowledged[session]) == 1


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_session_that_comes_while_the_thread_ends_is_not_begun(gateway: Gateway) -> None:
    tracker = Tracker(gateway.url)
    worker = tracker._worker
    # Held up, so that it sees the end and the session in one turn, in this order.
    may_go_on = threading.Event()
    worker._call(lambda: may_go_on.wait(5))
    worker._call(worker._stop.set)
    tracker.track_message(tracker.start_session("c"), "user", "too late")
    may_go_on.set()
    worker._thread.join(5)
    assert [line.task for line in worker.lines.values()] == [None]
    report = await asyncio.to_thread(tracker.close, 0.1)
    assert len(report.unacknowledged) == 1


async def test_a_forked_child_has_a_closed_tracker_and_the_parent_goes_on(
    gateway: Gateway,
) -> None:
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        assert await asyncio.to_thread(_child_is_refused, tracker, session)
        assert tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x"]


def _child_is_refused(tracker: Tracker, session: str) -> bool:
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run in the child, whatever happens.
        try:
            refused = not tracker.track_message(session, "user", "child")
            started = tracker.track_message(tracker.start_session("d"), "user", "child")
            report = tracker.close(1)
            os._exit(0 if refused and not started and report.is_complete else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


async def test_a_program_that_forgets_to_close_its_tracker_is_delivered_at_its_exit(
    gateway: Gateway,
) -> None:
    # By name: when a program ends it can ask for names no more in the usual way.
    url = f"http://localhost:{gateway.port}"
    text = f"""
from parley.client import Tracker
tracker = Tracker("{url}")
session = tracker.start_session("c")
tracker.track_message(session, "user", "last words")
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, cwd=ROOT)
    assert await process.wait() == 0
    assert gateway.texts() == ["last words"]
