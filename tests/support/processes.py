"""Starts a service as the process that a user runs, and kills it as unkindly as asked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.error import URLError
from urllib.request import urlopen

from parley.local import ports, services
from parley.settings import Settings, kafka_variables
from tests.support.nursery import KNOWN, Forked

ROOT = Path(__file__).resolve().parents[2]


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The variables that make a process use these settings; nothing of ours is inherited."""
    ours = ("PARLEY_", "OPENAI_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        **kafka_variables(settings),
        "DATABASE_URL": settings.database_url.get_secret_value(),
        "PARLEY_TOPIC_PREFIX": settings.topic_prefix,
        "PARLEY_TOPIC_NAMES": json.dumps(settings.topic_names),
        "PARLEY_PARTITIONS": str(settings.partitions),
        "PARLEY_SESSION_TIMEOUT": str(settings.session_timeout.total_seconds()),
        "PARLEY_STATE_DIR": str(settings.state_dir),
        **extra,
    }


# Which tests are to be started in no time; see `fork`.
_started_by: type["subprocess.Popen[bytes]"] = subprocess.Popen


def fork() -> None:
    """From now on `start` forks what it can from processes that have imported everything."""
    global _started_by  # noqa: PLW0603 - one choice for a run
    _started_by = Forked


def start(
    module: str, *arguments: str, env: dict[str, str], **files: Any
) -> "subprocess.Popen[bytes]":
    """Run a module as `python -m` does; `files` are Popen's stdin, stdout and stderr."""
    is_ours = module in KNOWN and env["PYTHONPATH"] == str(ROOT)
    starter = _started_by if is_ours else subprocess.Popen
    return starter([sys.executable, "-m", module, *arguments], env=env, cwd=ROOT, **files)


def free_port() -> int:
    """A port that nobody listens on now."""
    return ports.choose([None])[0]


class ServiceProcess:
    """A service's module on a free port; stopped at the end of its `with`.

    `name` is one of the services, or a module's whole dotted name. It has started when its
    `probe` answers: a service that is to find its partition broken may never be ready.
    """

    def __init__(
        self, name: str, settings: Settings, *, probe: str = "/readyz", **extra: str
    ) -> None:
        self.name = name
        self._probe = probe
        self._module = name if "." in name else services.module_of(name)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = environment(settings, PARLEY_HTTP_PORT=str(self.port), **extra)
        self._log = settings.state_dir / f"{name}-{self.port}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, wait: bool = True) -> Self:
        """Start it, and wait until it says that it is ready."""
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = start(
                self._module, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        if wait:
            self._wait_until_started()
        return self

    @property
    def output(self) -> str:
        """Everything that it has printed, over all its lives."""
        return self._log.read_text()

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """`kill -9`."""
        self._running().kill()
        self._running().wait()

    def pause(self) -> None:
        """SIGSTOP: alive for the kernel, dead for everybody else."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self._running().send_signal(signal.SIGCONT)

    def stop(self, timeout: float = 60.0) -> int:
        """SIGTERM; returns the exit status."""
        self._running().terminate()
        return self._running().wait(timeout)

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for it to end by itself; returns the exit status."""
        return self._running().wait(timeout)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self._end()
            raise

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()
        if error is not None:
            print(f"--- {self.name}\n{self.output[-4000:]}")  # noqa: T201 - for the failed test

    def _end(self) -> None:
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _wait_until_started(self, timeout: float = 90.0) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self._running().poll() is not None:
                raise AssertionError(f"{self.name} ended at its start:\n{self.output[-4000:]}")
            if answers(f"{self.url}{self._probe}"):
                return
            time.sleep(0.05)
        raise AssertionError(f"{self.name} is not ready:\n{self.output[-4000:]}")


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        with urlopen(url, timeout=2) as answer:  # noqa: S310 - a loopback URL of our own
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False


def health(url: str) -> Any:
    """What a service says of itself, as long as it does not say that it is unhealthy."""
    with urlopen(f"{url}/health", timeout=5) as answer:  # noqa: S310 - a loopback URL of our own
        return json.load(answer)
