"""Who owns a run's files in a spool folder: whoever holds the run's lock, until it dies."""

import fcntl
import os
from pathlib import Path
from typing import Final, Self

LOCK: Final = ".lock"


class RunLock:
    """An exclusive lock on one run's files; the kernel lets go of it with the process."""

    def __init__(self, path: Path, file: int) -> None:
        self.path = path
        self._file: int | None = file

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """The lock at this path, or None while somebody else has it or has just deleted it."""
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return None
        # A lock on a file that was deleted in between excludes nobody.
        if os.fstat(file).st_nlink == 0:
            os.close(file)
            return None
        return cls(path, file)

    def release(self) -> None:
        """Let others have the files."""
        self._close()

    def delete(self) -> None:
        """There are no files any more."""
        self.path.unlink(missing_ok=True)
        self._close()

    def forget(self) -> None:
        """In a forked child: the parent goes on owning it, and the child must not hold it up."""
        self._close()

    def _close(self) -> None:
        # Once: a lock that was let go long ago has a number that is another file's by now.
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
