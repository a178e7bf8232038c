"""What a dead tracker leaves in its spool, the next one sends, once and in order."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parley import clock
from parley.client import Tracker
from parley.client.spool.leftover import dead_runs
from parley.client.spool.spool import SMALLEST_SPOOL, Spool
from tests.support.processes import ROOT
from tests.unit.client.gateways import Gateway, Peer, Taken
from tests.unit.client.spool.lines import files, line
from tests.unit.client.tracker.trackers import closed, flushed, tracking, until


async def test_what_a_closed_tracker_could_not_deliver_the_next_one_does(tmp_path: Path) -> None:
    gateway = Gateway()
    await gateway.start()
    await gateway.stop()
    tracker = Tracker(gateway.url, spool=tmp_path, client_id="me")
    session = tracker.start_session("c", user_id="u", metadata={"a": 1})
    for number in range(50):
        assert tracker.track_message(session, "user", str(number))
    tracker.end_session(session)
    assert tracker.get_stats().spooled == 51
    report = await closed(tracker, 0.2)
    assert (len(report.unacknowledged[session]), report.kept_in_spool) == (50, 50)
    await gateway.start()
    async with tracking(gateway, spool=tmp_path) as later:
        await until(lambda: len(gateway.taken) == 51)
        await until(lambda: later.get_stats().spooled == 0)
        stats = later.get_stats()
        # What an earlier run accepted is not in this one's books.
        assert (stats.recovered, stats.acknowledged, stats.sent) == (50, 0, 0)
    await gateway.stop()
    assert gateway.texts() == [str(number) for number in range(50)]
    assert gateway.taken[-1].kind == "end"
    [hello] = gateway.hellos
    assert (hello["client_id"], hello["user_id"], hello["metadata"]) == ("me", "u", {"a": 1})
    assert "session_id" not in hello
    assert files(tmp_path) == []


@contextmanager
def running(url: str, spool: str, count: int) -> Iterator["subprocess.Popen[bytes]"]:
    """An agent in a process of its own."""
    command = [sys.executable, "-m", "tests.unit.client.agent", url, spool, str(count)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as agent:
        try:
            yield agent
        finally:
            agent.kill()


async def test_kill_9_of_an_agent_loses_nothing_and_repeats_only_by_the_same_id(
    gateway: Gateway, tmp_path: Path
) -> None:
    async def ignore_every_third(taken: Taken) -> None:
        number = int(taken.payload["text"].split()[1])
        if number % 3 and number < 150:
            await gateway.acknowledge(taken)

    gateway.answer = ignore_every_third
    with running(gateway.url, str(tmp_path), 9999) as agent:
        await until(lambda: len(gateway.rows()) > 155)
        agent.kill()
        assert agent.stdout is not None
        accepted = agent.stdout.read().decode().split()
    assert len(accepted) > 150
    gateway.answer = None
    async with tracking(gateway, spool=tmp_path) as tracker:
        await until(lambda: tracker.get_stats().recovered > 0)
        await until(lambda: tracker.get_stats().spooled == 0)
        stats = tracker.get_stats()
    said = {f"message {number}" for number in accepted}
    # The last one may have been accepted without its line having been printed.
    assert said <= set(gateway.rows()) <= said | {f"message {len(accepted)}"}
    assert len(gateway.rows()) == len(set(gateway.rows()))
    first, second = gateway.hellos
    assert (second["client_id"], second["session_id"], second["generation"]) == ("agent", "s-1", 1)
    assert stats.recovered < len(accepted)
    # The session was not ended by its agent, and so not by anybody for it.
    assert "end" not in {one.kind for one in gateway.taken}
    assert files(tmp_path) == []
    assert first["user_id"] == second["user_id"] == "u"


async def test_sigterm_of_an_agent_that_closes_gets_every_acknowledgement(
    gateway: Gateway,
) -> None:
    async def slowly(taken: Taken) -> None:
        await asyncio.sleep(0.005)
        await gateway.acknowledge(taken)

    gateway.answer = slowly
    with running(gateway.url, "", 100) as agent:
        await until(lambda: len(gateway.rows()) > 20)
        agent.terminate()
        output, _ = await asyncio.to_thread(agent.communicate)
    assert output.decode().split()[-1] == "complete"
    assert len(gateway.rows()) == 100


async def test_a_torn_last_line_is_dropped_and_counted(gateway: Gateway, tmp_path: Path) -> None:
    spool = Spool(tmp_path, SMALLEST_SPOOL, threading.RLock())
    whole, _ = line(1, "whole")
    torn, _ = line(2, "torn")
    spool.write(whole)
    spool.write(torn[:-20])
    spool.close()
    async with tracking(gateway, spool=tmp_path) as tracker:
        await until(lambda: gateway.texts() == ["whole"])
        await until(lambda: tracker.get_stats().spooled == 0)
        assert tracker.get_stats().spool_torn == 1


async def test_two_trackers_share_a_folder_and_not_their_messages(
    gateway: Gateway, tmp_path: Path
) -> None:
    held: list[Taken] = []

    async def hold(taken: Taken) -> None:
        held.append(taken)

    gateway.answer = hold
    async with tracking(gateway, spool=tmp_path) as first:
        first.track_message(first.start_session("c"), "user", "x")
        await until(lambda: len(held) == 1)
        async with tracking(gateway, spool=tmp_path) as second:
            second.track_message(second.start_session("d"), "user", "y")
            await until(lambda: len(held) == 2)
            await asyncio.sleep(0.2)
            assert second.get_stats().recovered == 0
            for one in held:
                await gateway.acknowledge(one)
            assert await flushed(second)
        assert await flushed(first)
    assert gateway.texts() == ["x", "y"]


async def test_one_stuck_message_does_not_fill_the_spool(gateway: Gateway, tmp_path: Path) -> None:
    async def hold_stuck(taken: Taken) -> None:
        if taken.payload["text"] != "stuck":
            await gateway.acknowledge(taken)

    gateway.answer = hold_stuck
    async with tracking(gateway, spool=tmp_path, spool_bytes=SMALLEST_SPOOL) as tracker:
        tracker.track_message(tracker.start_session("a"), "user", "stuck")
        session = tracker.start_session("b")
        # Five times as much as the spool holds.
        for _ in range(5 * SMALLEST_SPOOL // 50_000):
            assert tracker.track_message(session, "user", "x" * 50_000)
            await until(lambda: tracker.get_stats().unacknowledged == 1)
            await asyncio.sleep(0.01)
        size = sum(path.stat().st_size for path in files(tmp_path))
        assert size <= SMALLEST_SPOOL + SMALLEST_SPOOL // 4
    [leftover] = dead_runs(tmp_path)
    assert [b"stuck" in one.frame.body for one in leftover.read()] == [True]
    leftover.close()


async def test_a_full_spool_refuses_visibly(tmp_path: Path) -> None:
    gateway = Gateway()
    await gateway.start()
    await gateway.stop()
    async with tracking(gateway, spool=tmp_path, spool_bytes=SMALLEST_SPOOL) as tracker:
        session = tracker.start_session("c")
        accepted = [tracker.track_message(session, "user", "x" * 50_000) for _ in range(60)]
        stats = tracker.get_stats()
    assert 30 < sum(accepted) < 42
    assert accepted == sorted(accepted, reverse=True)
    assert stats.refused_overflow == 60 - sum(accepted)


async def test_a_spool_that_cannot_be_written_is_counted_and_delivery_goes_on(
    gateway: Gateway, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    held: list[Taken] = []

    async def hold(taken: Taken) -> None:
        held.append(taken)

    gateway.answer = hold
    folder = tmp_path / "spool"
    async with tracking(gateway, spool=folder, spool_bytes=SMALLEST_SPOOL) as tracker:
        folder.rename(tmp_path / "gone")  # at once: the spool may be writing into it
        session = tracker.start_session("c")
        for _ in range(20):
            assert tracker.track_message(session, "user", "x" * 50_000)
        assert tracker.get_stats().not_spooled > 0
        await until(lambda: len(held) == 20)
        for one in held:
            await gateway.acknowledge(one)
        assert await flushed(tracker)
        assert tracker.get_stats().acknowledged == 20
        folder.mkdir()
    assert "spool_FileNotFoundError" in caplog.text


async def test_the_age_of_a_recovered_message_counts_from_when_it_was_said(
    gateway: Gateway, tmp_path: Path
) -> None:
    async def greet_nobody(peer: Peer) -> bool:
        await peer.close(1013)
        return False

    gateway.greet = greet_nobody
    tracker = Tracker(gateway.url, spool=tmp_path)
    before = clock.now()
    tracker.track_message(tracker.start_session("c"), "user", "x")
    after = clock.now()
    await closed(tracker, 0.3)
    gateway.greet = None
    async with tracking(gateway, spool=tmp_path):
        await until(lambda: gateway.texts() == ["x"])
    said = gateway.taken[0].payload
    assert before.isoformat() <= said["occurred_at"] <= after.isoformat()
    assert said["sent_at"] > after.isoformat()
