"""The files of a running tracker: written before a message counts as accepted."""

import threading
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Final

from parley.client.spool.owner import LOCK, RunLock
from parley.client.spool.records import session_line
from parley.client.spool.segment import SAID, Segment
from parley.ids import random_id

SEGMENT_BYTES: Final = 4 * 1024 * 1024
# A segment must hold a frame of the greatest size several times over.
SMALLEST_SEGMENT: Final = 512 * 1024
SMALLEST_SPOOL: Final = 4 * SMALLEST_SEGMENT
SESSIONS: Final = ".sessions"
MAX_SESSIONS_BYTES: Final = 1024 * 1024


class Spool:
    """Segments of one run, in a folder that runs share; `lock` is the tracker's own."""

    def __init__(self, folder: Path, max_bytes: int, lock: "threading.RLock") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._segment_bytes = max(SMALLEST_SEGMENT, min(SEGMENT_BYTES, max_bytes // 4))
        self._max_segments = max(2, max_bytes // self._segment_bytes)
        self._lock = lock
        self._run_lock = _own_run(folder)
        self._run = self._run_lock.path.stem
        self._numbers = count(1)
        self._sessions: dict[str, tuple[str, int]] = {}
        self._sessions_path = folder / f"{self._run}{SESSIONS}"
        self._sessions_bytes = 0
        self._spare: Segment | None = None
        self._current = self._make()
        self._segments = [self._current]

    @property
    def run(self) -> str:
        """The name that all of its files begin with."""
        return self._run

    @property
    def segment_count(self) -> int:
        """How many segments there are."""
        return len(self._segments)

    # --- by the callers, under the lock -------------------------------------------------------

    def write(self, line: bytes) -> Segment | None:
        """Keep a line; None when the spool has its greatest size. Raises OSError, disk full."""
        if self._current.write(line):
            return self._current
        if len(self._segments) >= self._max_segments:
            return None
        # Made here only when messages come faster than the tracker's thread makes spares.
        fresh, self._spare = self._spare or self._make(), None
        self._segments.append(fresh)
        self._current = fresh
        return fresh if fresh.write(line) else None

    # --- by the tracker's thread --------------------------------------------------------------

    def tend(self) -> None:
        """Write down what is done, delete what is settled, and have a spare ready."""
        with self._lock:
            segments = list(self._segments)
            settled = [one for one in segments if one is not self._current and one.is_settled]
            self._segments = [one for one in segments if one not in settled]
            room = len(self._segments) < self._max_segments
            wants_spare = room and self._spare is None and self._current.is_half_full
        for segment in segments:
            segment.flush_done()
        for segment in settled:
            segment.delete()
        if wants_spare:
            self._spare = self._make()

    def crowded(self) -> Segment | None:
        """The oldest segment, where the spool is half full: its last lines should move on."""
        with self._lock:
            if len(self._segments) * 2 <= self._max_segments:
                return None
            oldest = self._segments[0]
            is_sparse = oldest.settled * 2 > oldest.written
            return oldest if is_sparse and oldest is not self._current else None

    def move(self, line: bytes, old: Segment) -> Segment | None:
        """Write a line of `old` again, so that `old` can go; None when there is no room.

        Until `old` is deleted the line is in both, and in neither is it done with.
        """
        with self._lock:
            fresh = self.write(line)
        if fresh is not None:
            old.move_out()
        return fresh

    def note_session(self, handle: str, session_id: str, generation: int) -> None:
        """Keep which session the gateway gave, so that another run can go on with it."""
        self._sessions[handle] = (session_id, generation)
        if self._sessions_bytes > MAX_SESSIONS_BYTES:
            self._rewrite_sessions()
        else:
            self._append_sessions([handle])

    def forget_session(self, handle: str) -> None:
        """The session is over."""
        self._sessions.pop(handle, None)

    # --- at the end ---------------------------------------------------------------------------

    def close(self) -> None:
        """Leave what is not settled to the next run, or nothing if all is."""
        is_empty = all(segment.is_settled for segment in self._segments)
        if self._spare is not None:
            self._spare.delete()
        for segment in self._segments:
            if segment.is_settled:
                segment.delete()
            else:
                segment.close()
        if is_empty:
            self._sessions_path.unlink(missing_ok=True)
            self._run_lock.delete()
        else:
            self._run_lock.release()

    def forget(self) -> None:
        """In a forked child: touch nothing, and do not hold the lock."""
        self._run_lock.forget()

    def _make(self) -> Segment:
        path = self._folder / f"{self._run}-{next(self._numbers):06d}{SAID}"
        return Segment(path, self._segment_bytes)

    def _append_sessions(self, handles: Iterable[str]) -> None:
        content = b"".join(session_line(one, *self._sessions[one]) for one in handles)
        with self._sessions_path.open("ab") as file:
            file.write(content)
        self._sessions_bytes += len(content)

    def _rewrite_sessions(self) -> None:
        fresh = self._sessions_path.with_suffix(".new")
        content = b"".join(session_line(one, *kept) for one, kept in self._sessions.items())
        fresh.write_bytes(content)
        fresh.replace(self._sessions_path)
        self._sessions_bytes = len(content)


def _own_run(folder: Path) -> RunLock:
    while True:
        lock = RunLock.take(folder / f"{random_id()}{LOCK}")
        # None only where another process adopted the newborn run within its first microseconds.
        if lock is not None:
            return lock
