"""Lines and files of the spool: torn ones, full ones, and those of the dead."""

import resource
import threading
from mmap import mmap
from pathlib import Path
from typing import cast

import pytest

from parley.client.sending import outgoing
from parley.client.spool.leftover import Leftover, dead_runs
from parley.client.spool.owner import RunLock
from parley.client.spool.records import (
    SpooledFrame,
    frame_line,
    read_done,
    read_frames,
    read_sessions,
    session_line,
)
from parley.client.spool.segment import Segment
from parley.client.spool.spool import SMALLEST_SPOOL, Spool
from tests.unit.client.spool.lines import SESSION, files, line


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


def test_a_segment_refuses_what_does_not_fit_and_keeps_the_rest(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "run-1.said", 4096)
    written = 0
    while segment.write(line(written)[0]):
        written += 1
    frames, torn = read_frames(segment.path.read_bytes())
    assert (len(frames), torn) == (written, 0)
    assert written > 10


def test_a_segment_that_found_no_room_on_the_disk_leaves_no_file(tmp_path: Path) -> None:
    least, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, most))
    try:
        with pytest.raises(OSError, match="File too large"):
            Segment(tmp_path / "run-1.said", 4096)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (least, most))
    assert files(tmp_path) == []


def test_a_line_of_a_signals_handler_does_not_lie_upon_the_one_that_it_interrupts(
    tmp_path: Path,
) -> None:
    segment = Segment(tmp_path / "run-1.said", 4096)
    memory = segment._memory

    class Interrupted:
        def __setitem__(self, place: slice, content: bytes) -> None:
            segment._memory = memory
            segment.write(line(2)[0])
            memory[place] = content

    segment._memory = cast("mmap", Interrupted())
    segment.write(line(1)[0])
    frames, torn = read_frames(segment.path.read_bytes())
    assert ([one.frame.frame_id for one in frames], torn) == (["run-1", "run-2"], 0)


def test_a_lock_that_was_let_go_closes_nobody_elses_file_in_a_forked_child(tmp_path: Path) -> None:
    lock = RunLock.take(tmp_path / "run.lock")
    assert lock is not None
    lock.release()
    with (tmp_path / "other").open("w") as other:
        # It has the number that the lock had.
        lock.forget()
        other.write("x")
    assert (tmp_path / "other").read_text() == "x"


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


def test_leftovers_without_segments_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "old.lock").touch()
    for leftover in dead_runs(tmp_path):
        assert isinstance(leftover, Leftover)
        assert leftover.read() == []
        leftover.close()
    assert files(tmp_path) == []
