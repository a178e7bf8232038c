"""One file of a spool, written through memory, and the list of what in it is done with."""

import mmap
import os
from pathlib import Path
from typing import Final

SAID: Final = ".said"
DONE: Final = ".done"


class Segment:
    """Lines are appended as a copy in memory: no call to the system, so no wait for anything.

    The kernel has them from then on, so they survive the death of the program, not that of the
    machine. `write` belongs to the callers of a tracker, under its lock, `settle` to its thread.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        self.written = 0
        self.settled = 0
        self._end = 0
        self._done: list[str] = []
        try:
            _reserve(path, size)
            with path.open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), size)
        except OSError:
            # The disk is full, say: the next message tries again, and would leave another one.
            path.unlink(missing_ok=True)
            raise

    @property
    def is_settled(self) -> bool:
        """Whether nothing in it needs to be sent any more."""
        return self.settled == self.written

    @property
    def is_half_full(self) -> bool:
        """Whether it is time to have another one ready."""
        return self._end * 2 > self.size

    def write(self, line: bytes) -> bool:
        """Append a line; False when there is no room."""
        size = len(line)
        if self._end + size > self.size:
            return False
        # First the place, and nothing is called before: a signal's handler may write meanwhile.
        begin = self._end
        end = self._end = begin + size
        self._memory[begin:end] = line
        self.written += 1
        return True

    def settle(self, frame_id: str) -> None:
        """The line of this frame is done with; on disk after the next `flush_done`."""
        self.settled += 1
        self._done.append(frame_id)

    def move_out(self) -> None:
        """A line of it was written again elsewhere: not needed here, and not done with."""
        self.settled += 1

    def flush_done(self) -> None:
        """Write down what was settled. What a crash loses of it is sent again, by the same id."""
        if self._done:
            append_done(self.path, self._done)
            self._done.clear()

    def close(self) -> None:
        """Let go of the memory, cut off what was never written, and have it on disk."""
        self.flush_done()
        self._memory.close()
        file = os.open(self.path, os.O_RDWR)
        try:
            os.ftruncate(file, self._end)
            os.fsync(file)
        finally:
            os.close(file)

    def delete(self) -> None:
        """Forget it."""
        self._memory.close()
        delete_files(self.path)


def append_done(path: Path, frame_ids: list[str]) -> None:
    """Note beside the file at `path` that these frames in it are done with."""
    with path.with_suffix(DONE).open("ab") as file:
        file.write("".join(f"{one}\n" for one in frame_ids).encode())


def delete_files(path: Path) -> None:
    """Delete a segment's files, the list of what is done last: a crash between sends no more."""
    path.unlink(missing_ok=True)
    path.with_suffix(DONE).unlink(missing_ok=True)


def _reserve(path: Path, size: int) -> None:
    # Room that the file system has not really given would kill the program when it is written;
    # and what was written once is written again without a wait for the file system's journal.
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(bytes(size))
