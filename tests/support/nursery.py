"""Processes that are forked from one that has imported everything, and not started from nothing.

Of a process's start, the second of one core that Python takes to import Parley is spared, which is
half of all that the tests would take. What is started is a process like any other: its
environment, folder, files and signals are its own, and its module is run as `python -m` runs it.

Python's own forkserver (multiprocessing) runs functions for a parent that it knows, not modules.
"""

import atexit
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parents[2]
# What is run, and the packages that are imported for it; each has a process that forks.
KNOWN: Final[Mapping[str, str]] = {
    "parley": "parley.cli",
    "tests.integration.incarnations.dying_command": "parley.cli",
    **{f"services.{name}.main": "" for name in ("gateway", "persister", "sealer", "analyzer")},
}
_LARGEST_REQUEST: Final = 1 << 20
# Pid or wait status.
_NUMBER: Final = struct.Struct("q")


class Forked(subprocess.Popen[bytes]):
    """`subprocess.Popen([sys.executable, "-m", module, …])` by the nursery.

    It has the arguments that a start of ours needs: env, cwd, stdin, stdout and stderr.
    """

    _status: int
    """Says the wait status when the process has ended: it is not our child."""

    def _execute_child(self, args: Sequence[str], *others: Any) -> None:
        # As CPython's own names them, in 3.11 and later.
        cwd, env = others[4], others[5]
        p2cread, _, _, c2pwrite, _, errwrite = pipes = others[9:15]
        self._status, status = os.pipe()
        try:
            born = Born(args[2], list(args[3:]), dict(env), str(cwd))
            own = (p2cread, c2pwrite, errwrite)
            standard = [number if given == -1 else given for number, given in enumerate(own)]
            self.pid = _nursery(born.module).bear(born, [*standard, status])
        finally:
            os.close(status)
            self._close_pipe_fds(*pipes)  # type: ignore[attr-defined]
        self._child_created = True

    def _try_wait(self, flags: int) -> tuple[int, int]:
        timeout_s = 0 if flags & os.WNOHANG else None
        if not select.select([self._status], [], [], timeout_s)[0]:
            return 0, 0
        said = os.read(self._status, _NUMBER.size)
        os.close(self._status)
        # None where the nursery has ended: so have the tests.
        return self.pid, _NUMBER.unpack(said)[0] if said else 0

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        with self._waitpid_lock:  # type: ignore[attr-defined]
            if self.returncode is None:
                pid, status = self._try_wait(os.WNOHANG)
                if pid:
                    self._handle_exitstatus(status)  # type: ignore[attr-defined]
        return self.returncode


class Born(NamedTuple):
    """What is to be run."""

    module: str
    arguments: list[str]
    environment: Mapping[str, str]
    folder: str


class _Nursery:
    """The process that forks for one module."""

    def __init__(self, module: str) -> None:
        self._turn = threading.Lock()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, module, str(theirs.fileno())],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        atexit.register(self._end)

    def bear(self, born: Born, files: Sequence[int]) -> int:
        """Fork a process with these files: the standard ones, and one for its wait status."""
        with self._turn:
            socket.send_fds(self._socket, [json.dumps(born).encode()], files)
            said = self._socket.recv(_NUMBER.size)
        pid: int = _NUMBER.unpack(said)[0]
        return pid

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()


_nursery: Final = cache(_Nursery)


# --- within the nursery ---------------------------------------------------------------------------


def _serve(connection: socket.socket) -> tuple[Born, list[int]] | None:
    """Fork whenever asked; returns what to run in a child, None when nobody asks any more."""
    statuses: dict[int, int] = {}
    ended, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([connection.fileno(), ended], [], [])
        if ended in ready:
            os.read(ended, 4096)
            _reap(statuses)
        if connection.fileno() in ready:
            request, files, _, _ = socket.recv_fds(connection, _LARGEST_REQUEST, 4)
            if not request:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                for other in (connection.detach(), ended, woken, files[3], *statuses.values()):
                    os.close(other)
                return Born(*json.loads(request)), files[:3]
            for own in files[:3]:
                os.close(own)
            statuses[pid] = files[3]
            connection.send(_NUMBER.pack(pid))


def _reap(statuses: dict[int, int]) -> None:
    for pid, said in list(statuses.items()):
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            del statuses[pid]
            try:
                os.write(said, _NUMBER.pack(status))
            except BrokenPipeError:
                # Nobody waits for it any more.
                continue
            finally:
                os.close(said)


def _become(born: Born, files: Sequence[int]) -> None:
    for number, given in enumerate(files):
        os.dup2(given, number)
        os.close(given)
    os.chdir(born.folder)
    os.environ.clear()
    os.environ.update(born.environment)
    time.tzset()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        # As PYTHONUNBUFFERED has it.
        stream.reconfigure(write_through=True)  # type: ignore[union-attr]
    sys.argv = [born.module, *born.arguments]
    spec = find_spec(born.module)
    if spec is not None and spec.submodule_search_locations is None:
        # What is run has not been imported.
        sys.modules.pop(born.module, None)
    runpy.run_module(born.module, run_name="__main__", alter_sys=True)


def _main(module: str, connection: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    package = import_module(KNOWN[module] or module)
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        if not found.name.endswith(".__main__"):
            import_module(found.name)
    asked = _serve(socket.socket(fileno=connection))
    if asked is not None:
        _become(*asked)


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
