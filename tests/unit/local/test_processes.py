"""A process is recognised for certain, survives us, and is stopped, and no other is."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parley.local import environment, processes
from parley.local.processes import ProcessIdentity

_SLEEP = "import time; time.sleep(60)"
_STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('deaf', flush=True); time.sleep(60)"
)


@contextmanager
def _spawned(tmp_path: Path, code: str, *arguments: str) -> Iterator[ProcessIdentity]:
    command = [sys.executable, "-c", code, *arguments]
    identity = processes.spawn_detached(command, environment.for_child(), tmp_path / "log")
    try:
        yield identity
    finally:
        identity.send(signal.SIGKILL)
        identity.wait(5)


def test_a_recorded_process_is_recognised(tmp_path: Path) -> None:
    with _spawned(tmp_path, _SLEEP) as identity:
        assert ProcessIdentity.from_record(identity.to_record()) == identity
        assert identity.is_alive()


def test_a_reused_pid_is_not_the_process_and_is_not_signalled() -> None:
    own = ProcessIdentity.of_existing(os.getpid())
    reused = ProcessIdentity(own.pid, own.start_mark - 1)
    assert not reused.is_alive()
    reused.send(signal.SIGKILL)  # Would end the tests if it were sent.


def test_a_detached_process_has_a_session_of_its_own(tmp_path: Path) -> None:
    with _spawned(tmp_path, _SLEEP) as identity:
        assert processes.wait_until(lambda: os.getsid(identity.pid) == identity.pid, 5)


def test_a_killed_process_is_not_alive_though_nobody_waited_for_it(tmp_path: Path) -> None:
    with _spawned(tmp_path, _SLEEP) as identity:
        os.kill(identity.pid, signal.SIGKILL)
        assert identity.wait(5)


def test_a_process_is_found_by_its_arguments(tmp_path: Path) -> None:
    mark = str(tmp_path / "mark")
    assert processes.find_by_arguments(frozenset((mark,))) is None
    with _spawned(tmp_path, _SLEEP, mark) as identity:
        marks = frozenset((mark, _SLEEP))
        # While the launcher becomes the command, the system shows no arguments at all.
        assert processes.wait_until(lambda: processes.find_by_arguments(marks) == identity, 5)
        assert processes.find_by_arguments(frozenset((mark, "other"))) is None


def test_stop_kills_what_does_not_end_in_time(tmp_path: Path) -> None:
    with _spawned(tmp_path, _STUBBORN) as identity:
        log = tmp_path / "log"
        assert processes.wait_until(lambda: "deaf" in log.read_text(), 5)
        assert not processes.stop(identity, signal.SIGTERM, limit_seconds=0.2)
        assert not identity.is_alive()


def test_stop_lets_a_process_end_by_itself(tmp_path: Path) -> None:
    with _spawned(tmp_path, _SLEEP) as identity:
        assert processes.stop(identity, signal.SIGTERM, limit_seconds=5)
