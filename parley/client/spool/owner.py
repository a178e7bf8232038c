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
        self._file = file

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
        os.close(self._file)

    def delete(self) -> None:
        """There are no files any more."""
        self.path.unlink(missing_ok=True)
        os.close(self._file)

    def forget(self) -> None:
        """In a forked child: the parent goes on owning it, and the child must not hold it up."""
        os.close(self._file)
