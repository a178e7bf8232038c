"""Starts detached processes, recognises them again later, and stops exactly those."""

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from parley.local.logs import rotate

LAUNCHER = Path(__file__).with_name("launcher.py")
POLL_SECONDS = 0.03


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process for certain: pids are used again, a pid with its start time is not."""

    pid: int
    start_mark: float
    """When it started: clock ticks since boot on Linux, seconds since 1970 elsewhere."""

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity | None":
        """Return the identity of the process that has this pid now, or None."""
        mark = _start_mark(pid)
        return None if mark is None else cls(pid, mark)

    @classmethod
    def of_existing(cls, pid: int) -> "ProcessIdentity":
        """Return the identity of ourselves, or of a child that was not waited for yet."""
        mark = _start_mark(pid)
        if mark is None:
            raise ProcessLookupError(f"process {pid} is not there")
        return cls(pid, mark)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "ProcessIdentity | None":
        """Return what `to_record` wrote, or None where no process was recorded."""
        if "pid" not in record:
            return None
        return cls(record["pid"], record["start_mark"])

    def to_record(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"pid": self.pid, "start_mark": self.start_mark}

    def is_alive(self) -> bool:
        """Return whether this very process still runs; a zombie does not."""
        _reap(self.pid)
        if _start_mark(self.pid) != self.start_mark:
            return False
        try:
            return bool(psutil.Process(self.pid).status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def has_arguments(self, arguments: frozenset[str]) -> bool:
        """Return whether the process runs and has all these on its command line."""
        try:
            return self.is_alive() and arguments <= set(psutil.Process(self.pid).cmdline())
        except psutil.Error:
            return False

    def send(self, signal_number: int) -> None:
        """Signal this very process; one that is gone is left alone."""
        if self.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal_number)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait until the process has ended; return whether it has."""
        return wait_until(lambda: not self.is_alive(), timeout_seconds)


def _start_mark(pid: int) -> float | None:
    """Return the start time that the kernel keeps, which no change of the clock can move."""
    if sys.platform != "linux":
        try:
            return float(psutil.Process(pid).create_time())
        except psutil.Error:
            return None
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command's name may hold spaces and parentheses; field 22 is the 20th after it.
    return float(stat.rpartition(")")[2].split()[19])


def _reap(pid: int) -> None:
    """Collect the exit status where the process is our own child, or it stays a zombie."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def wait_until(condition: Callable[[], bool], timeout_seconds: float) -> bool:
    """Ask again and again until the condition holds; return whether it did in time."""
    deadline = time.monotonic() + timeout_seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def launcher_command(*options: str) -> list[str]:
    """Return the start of a command line that goes through `launcher.py`."""
    return [sys.executable, "-I", "-S", str(LAUNCHER), *options, "--"]


def spawn_detached(
    command: list[str], environment: dict[str, str], log: Path, options: tuple[str, ...] = ()
) -> ProcessIdentity:
    """Start a process in a session of its own, its output appended to `log`.

    A Ctrl-C in our terminal does not reach it, and it outlives us. `posix_spawn` rather than
    `Popen`: nobody here waits for it.
    """
    rotate(log)
    argv = [*launcher_command("--new-session", *options), *command]
    pid = os.posix_spawn(
        argv[0],
        argv,
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
    )
    return ProcessIdentity.of_existing(pid)


def find_by_arguments(arguments: frozenset[str]) -> ProcessIdentity | None:
    """Return the process that has all these on its command line, such as a file of ours.

    It finds what was started by somebody who was killed before writing the pid down.
    """
    for process in psutil.process_iter(["cmdline"]):
        if arguments <= set(process.info["cmdline"] or ()):
            identity = ProcessIdentity.of(process.pid)
            if identity is not None and identity.is_alive():
                return identity
    return None


def stop(identity: ProcessIdentity, first_signal: int, limit_seconds: float) -> bool:
    """Ask the process to end, and kill it after the limit; return whether it ended by itself."""
    identity.send(first_signal)
    if identity.wait(limit_seconds):
        return True
    identity.send(signal.SIGKILL)
    identity.wait(10)
    return False
