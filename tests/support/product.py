"""The whole product as `parley local up` runs it, on a test's own topics and database."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from parley.settings import Settings
from tests.support.processes import ROOT, answers, environment, free_port

SERVICES = ("gateway", "persister", "sealer", "analyzer")
READY_S = 60


@dataclass(frozen=True, slots=True)
class Said:
    """What a command answered."""

    status: int
    output: str
    errors: str


def parley(settings: Settings, *words: str, timeout: float = 120, **extra: str) -> Said:
    """Run the `parley` command to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "parley.cli", *words],
        env=environment(settings, **extra),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


class Product:
    """The supervisor with its services; everything is stopped at the end of its `with`.

    Ready when those are that messages pass through.
    """

    def __init__(self, settings: Settings, *arguments: str, **extra: str) -> None:
        self.settings = settings
        self._arguments = arguments
        self._environment = environment(settings, PARLEY_HTTP_PORT=str(free_port()), **extra)
        self._log = settings.state_dir / "test-output.log"

    @property
    def output(self) -> str:
        """Everything that the supervisor and its services printed."""
        return self._log.read_text()

    def record(self) -> dict[str, Any]:
        """What the supervisor says of its services; empty while it rewrites it or before."""
        path = self.settings.state_dir / "supervisor.json"
        services: dict[str, Any] = json.loads(path.read_text())["services"] if path.exists() else {}
        return services

    def url(self, service: str = "gateway") -> str:
        return str(self.record()[service]["url"])

    def kill(self, service: str) -> int:
        """`kill -9` of a service that runs; returns its former pid. The supervisor restarts it."""
        pid = self.wait_for(service)
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for(self, service: str, other_than: int = 0) -> int:
        """The pid of the service once it is ready, in another life than `other_than`."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            facts = self.record().get(service, {})
            pid = facts.get("pid")
            if pid and pid != other_than and answers(f"{facts['url']}/readyz"):
                return int(pid)
            if self._process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"{service} is not ready:\n{self.output[-4000:]}")

    def __enter__(self) -> Self:
        self.settings.state_dir.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "parley.cli", "local", "up", *self._arguments]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--state-dir", str(self.settings.state_dir)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
            )
        try:
            for service in SERVICES:
                self.wait_for(service)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> int:
        """Ctrl-C; returns the exit status."""
        self._process.send_signal(signal.SIGINT)
        return self._process.wait(60)

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.poll() is None:
            self.stop()
        if error is not None:
            print(f"--- product\n{self.output[-6000:]}")  # noqa: T201 - for the failed test


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A file for `parley import jsonl`."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
