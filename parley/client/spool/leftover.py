"""What a run that died left behind, for the next one to send."""

from collections.abc import Iterator
from pathlib import Path

from parley.client.spool.owner import LOCK, RunLock
from parley.client.spool.records import SpooledFrame, read_done, read_frames, read_sessions
from parley.client.spool.segment import DONE, SAID, append_done, delete_files
from parley.client.spool.spool import SESSIONS


class Leftover:
    """The files of a dead run, now ours; deleted once everything in them is settled."""

    def __init__(self, lock: RunLock) -> None:
        self._lock = lock
        self._run = lock.path.stem
        self._folder = lock.path.parent
        self._paths = sorted(self._folder.glob(f"{self._run}-*{SAID}"))
        self._remaining: dict[str, Path] = {}
        self._done: dict[Path, list[str]] = {}
        self._is_read = False
        self.torn = 0

    @property
    def remaining(self) -> int:
        """How many frames are not settled."""
        return len(self._remaining)

    def read(self) -> list[SpooledFrame]:
        """Everything that is to be sent again, in the order in which it was said."""
        found: dict[str, SpooledFrame] = {}
        paths: dict[str, Path] = {}
        done: set[str] = set()
        for path in self._paths:
            frames, torn = read_frames(path.read_bytes())
            self.torn += torn
            done |= read_done(_content(path.with_suffix(DONE)))
            for one in frames:
                # A line that moved on to a later file is in both: the first place is its order.
                found.setdefault(one.frame.frame_id, one)
                paths[one.frame.frame_id] = path
        self._remaining = {one: path for one, path in paths.items() if one not in done}
        self._is_read = True
        return [one for frame_id, one in found.items() if frame_id not in done]

    def sessions(self) -> dict[str, tuple[str, int]]:
        """Session id and generation, by the run's own handles."""
        return read_sessions(_content(self._folder / f"{self._run}{SESSIONS}"))

    def settle(self, frame_id: str) -> None:
        """Done with; on disk after the next `flush_done`."""
        path = self._remaining.pop(frame_id, None)
        if path is not None:
            self._done.setdefault(path, []).append(frame_id)

    def flush_done(self) -> None:
        """Write down what was settled."""
        for path, frame_ids in self._done.items():
            append_done(path, frame_ids)
        self._done.clear()

    def close(self) -> None:
        """Delete the files if nothing remains; otherwise leave them to the next run."""
        self.flush_done()
        if self._remaining or not self._is_read:
            self._lock.release()
            return
        for path in self._paths:
            delete_files(path)
        (self._folder / f"{self._run}{SESSIONS}").unlink(missing_ok=True)
        self._lock.delete()

    def forget(self) -> None:
        """In a forked child: touch nothing, and do not hold the lock."""
        self._lock.forget()


def dead_runs(folder: Path) -> Iterator[Leftover]:
    """Runs whose process is gone, one after the other, each locked for the one who asks."""
    for path in sorted(folder.glob(f"*{LOCK}")):
        lock = RunLock.take(path)
        if lock is not None:
            yield Leftover(lock)


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""
