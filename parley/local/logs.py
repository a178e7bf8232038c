"""Keeps one log file per service, bounded at each start, and reads the ends of them."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

OF_UP = "up"
"""The log of an `up` in the background: a copy of all its services' output, and its own."""
ROTATE_BYTES = 10 * 1024 * 1024


def path_of(state_dir: Path, name: str) -> Path:
    """Return the log file of a service or server."""
    return state_dir / "logs" / f"{name}.log"


def names(state_dir: Path) -> list[str]:
    """Return whose logs there are, sorted."""
    return sorted(path.stem for path in (state_dir / "logs").glob("*.log"))


def rotate(path: Path) -> None:
    """Set a log above 10 MB aside as `….log.1`, replacing the one before; create the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > ROTATE_BYTES:
        path.replace(path.with_name(path.name + ".1"))


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log, without their newlines."""
    with path.open(errors="replace") as file:
        return [line.rstrip("\n") for line in deque(file, maxlen=count)]


class Follower:
    """Reads what is appended to a log after now, also once it was set aside and begun anew."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open(errors="replace")
        self._file.seek(0, 2)
        self._begun = ""

    def new_lines(self) -> Iterator[str]:
        """Yield the whole lines appended since the last call."""
        while chunk := self._file.readline():
            self._begun += chunk
            if self._begun.endswith("\n"):
                yield self._begun.rstrip("\n")
                self._begun = ""
        if self._path.stat().st_ino != self._inode():
            self._file.close()
            self._file = self._path.open(errors="replace")

    def __enter__(self) -> "Follower":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _inode(self) -> int:
        return os.fstat(self._file.fileno()).st_ino
