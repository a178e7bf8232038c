"""Tests of the spool: what a dead tracker leaves, the next one sends, once and in order."""

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
from parley.client.sending import Outgoing, outgoing
from parley.client.spool.leftover import Leftover, dead_runs
from parley.client.spool.records import (
    SpooledFrame,
    SpooledSession,
    frame_line,
    read_done,
    read_frames,
    read_sessions,
    session_line,
)
from parley.client.spool.segment import Segment
from parley.client.spool.spool import SMALLEST_SPOOL, Spool
from tests.support.processes import ROOT
from tests.unit.client.gateways import Gateway, Peer, Taken
from tests.unit.client.test_tracker import closed, flushed, tracking, until

SESSION = SpooledSession("h", "c", "me", "u", "demo", '{"a":1}')


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def line(number: int, text: str = "hello\t\n\0") -> tuple[bytes, Outgoing]:
    frame = outgoing("ai_response", f"run-{number}", {"text": text})
    return frame_line(SESSION.encode(), frame, is_end=False), frame


# --- lines ------------------------------------------------------------------------------------


def test_lines_are_read_as_they_were_written() -> None:
    (first, frame), (second, other) = line(1), line(2)
    end = frame_line(SESSION.encode(), outgoing("end", "run-3", {}), is_end=True)
    frames, torn = read_frames(first + second + end + bytes(1000))
    assert frames[:2] == [SpooledFrame(SESSION, frame), SpooledFrame(SESSION, other)]
    assert (frames[2].is_end, torn) == (True, 0)


def test_a_line_that_was_cut_off_anywhere_is_dropped_and_counted() -> None:
    (first, frame), (second, _) = line(1), line(2)
    for cut in range(1, len(second) - 1):
        # The rest of a file that was reserved is NUL.
        frames, torn = read_frames(first + second[:cut] + bytes(64))
        assert ([one.frame for one in frames], torn) == ([frame], 1), cut


def test_a_line_with_a_hole_in_it_is_dropped_and_the_next_one_read() -> None:
    (first, _), (second, frame) = line(1), line(2)
    frames, torn = read_frames(first[:30] + bytes(8) + first[38:] + second)
    assert ([one.frame for one in frames], torn) == ([frame], 1)


def test_an_id_that_was_cut_off_settles_nothing() -> None:
    assert read_done(b"run-12\nrun-1") == {"run-12"}


def test_of_a_session_the_last_generation_counts() -> None:
    content = session_line("h", "s", 1) + session_line("h", "s", 2)
    assert read_sessions(content + session_line("h", "s", 3)[:-4]) == {"h": ("s", 2)}


# --- files ------------------------------------------------------------------------------------


def test_a_segment_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "run-1.said", 4096)
    written = 0
    while segment.write(line(written)[0]):
        written += 1
    frames, torn = read_frames(segment.path.read_bytes())
    assert (len(frames), torn) == (written, 0)
    assert written > 10


def small_spool(folder: Path) -> Spool:
    return Spool(folder, SMALLEST_SPOOL, threading.RLock())


def fill(spool: Spool) -> list[tuple[Segment, str]]:
    """Everything that the spool takes."""
    kept: list[tuple[Segment, str]] = []
    while True:
        written, frame = line(len(kept), "x" * 10_000)
        segment = spool.write(written)
        if segment is None:
            return kept
        kept.append((segment, frame.frame_id))


def test_a_spool_has_a_greatest_size_and_room_again_once_its_lines_are_settled(
    tmp_path: Path,
) -> None:
    spool = small_spool(tmp_path)
    kept = fill(spool)
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= SMALLEST_SPOOL
    first = kept[0][0]
    for segment, frame_id in kept:
        if segment is first:
            segment.settle(frame_id)
    spool.tend()
    assert not first.path.exists()
    assert spool.write(line(0)[0]) is not None


def test_a_closed_spool_leaves_no_file_when_all_is_settled(tmp_path: Path) -> None:
    spool = small_spool(tmp_path)
    spool.note_session("h", "s", 1)
    for segment, frame_id in fill(spool):
        segment.settle(frame_id)
    spool.close()
    assert files(tmp_path) == []


def test_what_is_not_settled_is_left_to_whoever_comes_next_and_to_nobody_else(
    tmp_path: Path,
) -> None:
    spool = small_spool(tmp_path)
    kept = fill(spool)
    spool.note_session("h", "s", 3)
    for segment, frame_id in kept[:-5]:
        segment.settle(frame_id)
    assert list(dead_runs(tmp_path)) == []
    spool.close()
    [leftover] = dead_runs(tmp_path)
    assert list(dead_runs(tmp_path)) == []
    left = leftover.read()
    assert [one.frame.frame_id for one in left] == [frame_id for _, frame_id in kept[-5:]]
    assert leftover.sessions() == {"h": ("s", 3)}
    for one in left:
        leftover.settle(one.frame.frame_id)
    leftover.close()
    assert files(tmp_path) == []


def test_what_was_settled_before_a_second_death_is_not_sent_a_third_time(tmp_path: Path) -> None:
    spool = small_spool(tmp_path)
    for number in range(3):
        spool.write(line(number)[0])
    spool.close()
    [leftover] = dead_runs(tmp_path)
    leftover.read()
    leftover.settle("run-1")
    leftover.close()
    [again] = dead_runs(tmp_path)
    assert [one.frame.frame_id for one in again.read()] == ["run-0", "run-2"]
    again.close()


def test_a_run_that_could_not_be_read_is_not_deleted(tmp_path: Path) -> None:
    spool = small_spool(tmp_path)
    spool.write(line(1)[0])
    spool.close()
    [unread] = dead_runs(tmp_path)
    unread.close()
    [leftover] = dead_runs(tmp_path)
    assert len(leftover.read()) == 1
    leftover.close()


def test_a_line_that_moved_on_is_sent_once_although_it_is_in_two_files(tmp_path: Path) -> None:
    spool = small_spool(tmp_path)
    kept = fill(spool)
    oldest = kept[0][0]
    for segment, frame_id in kept[1:]:
        if segment is oldest or segment is kept[-1][0]:
            segment.settle(frame_id)
    spool.tend()
    assert spool.crowded() is oldest
    # The tracker dies before the old segment is deleted.
    moved, _ = line(0, "x" * 10)
    assert spool.move(moved, oldest) is not None
    assert oldest.is_settled
    for segment in {id(segment): segment for segment, _ in kept}.values():
        segment.flush_done()
    spool.forget()
    [leftover] = dead_runs(tmp_path)
    ids = [one.frame.frame_id for one in leftover.read()]
    assert ids.count("run-0") == 1
    assert ids[0] == "run-0"
    leftover.close()


# --- trackers ---------------------------------------------------------------------------------


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


def test_leftovers_without_segments_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.lock").touch()
    for leftover in dead_runs(tmp_path):
        assert isinstance(leftover, Leftover)
        assert leftover.read() == []
        leftover.close()
    assert files(tmp_path) == []
