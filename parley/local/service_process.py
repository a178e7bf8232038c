"""Runs one service as a child process, passes its output on, and starts it again when it dies."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from parley.errors import WRONG_SETTINGS, UserError
from parley.local import logs
from parley.local.console import Console
from parley.local.processes import ProcessIdentity, launcher_command

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 10.0
STABLE_SECONDS = 30.0
_LONGEST_LINE_BYTES = 64 * 1024
_OUTPUT_END_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A service to run."""

    name: str
    argv: tuple[str, ...]
    """The command; its first part is a path."""
    env: Mapping[str, str]
    """Its whole environment."""
    url: str
    """Where it serves HTTP; `<url>/readyz` says whether it is ready."""


def restart_delay_seconds(previous_seconds: float | None, lived_seconds: float) -> float:
    """Return how long to wait before the next start: 0.5 s, doubled up to 10 s.

    A service that lived for 30 s was well, so its next death begins at 0.5 s again.
    """
    if previous_seconds is None or lived_seconds >= STABLE_SECONDS:
        return FIRST_DELAY_SECONDS
    return min(previous_seconds * 2, LONGEST_DELAY_SECONDS)


def describe_exit(status: int) -> str:
    """Return an exit status, negative for a signal, in words."""
    if status >= 0:
        return f"exited with status {status}"
    return f"was ended by {signal.Signals(-status).name}"


class ServiceProcess:
    """One service under supervision."""

    def __init__(
        self, spec: ServiceSpec, console: Console, log: Path, on_change: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.restarts = 0
        self._console = console
        self._log = log
        self._on_change = on_change
        self._stopping = asyncio.Event()
        self._process: asyncio.subprocess.Process | None = None

    def record(self) -> dict[str, Any]:
        """Return what supervisor.json says of this service; no pid while it is down."""
        process = self._process
        identity = None if process is None else ProcessIdentity.of(process.pid)
        known = {"url": self.spec.url, "restarts": self.restarts}
        return known if identity is None else {**identity.to_record(), **known}

    async def keep_running(self) -> None:
        """Run the service, again after each death, until `stop`.

        Raises UserError where its settings are wrong: they would be so again.
        """
        logs.rotate(self._log)
        delay_seconds: float | None = None
        while not self._stopping.is_set():
            started = time.monotonic()
            status = await self._run_once()
            if self._stopping.is_set():
                return
            if status == WRONG_SETTINGS:
                raise UserError(
                    f"The {self.spec.name} refuses a setting.",
                    "What it said is above. Correct that and start again.",
                )
            delay_seconds = restart_delay_seconds(delay_seconds, time.monotonic() - started)
            self._console.say(
                f"{self.spec.name} {describe_exit(status)}; starting it again in {delay_seconds} s"
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay_seconds)
            self.restarts += 1

    async def _run_once(self) -> int:
        launcher = launcher_command("--new-session", "--die-with", str(os.getpid()))
        self._process = process = await asyncio.create_subprocess_exec(
            *launcher,
            *self.spec.argv,
            env=self.spec.env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._on_change()
        if self._stopping.is_set():
            self.signal(signal.SIGTERM)
        output = asyncio.create_task(self._pass_output_on(process))
        status = await process.wait()
        # A child of the service may hold the pipe open for ever.
        await asyncio.wait([output], timeout=_OUTPUT_END_SECONDS)
        output.cancel()
        self._process = None
        self._on_change()
        return status

    async def _pass_output_on(self, process: asyncio.subprocess.Process) -> None:
        output = cast(asyncio.StreamReader, process.stdout)
        begun = b""
        with self._log.open("ab", buffering=0) as log:
            while chunk := await output.read(_LONGEST_LINE_BYTES):
                log.write(chunk)
                *lines, begun = (begun + chunk).split(b"\n")
                if len(begun) >= _LONGEST_LINE_BYTES:
                    lines, begun = [*lines, begun], b""
                self._print(lines)
        self._print([begun] if begun else [])

    def _print(self, lines: list[bytes]) -> None:
        for line in lines:
            self._console.write(self.spec.name, line.decode(errors="replace"))

    def stop(self) -> None:
        """Ask the service to end, and do not start it again."""
        self._stopping.set()
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the service and all that it started."""
        self._stopping.set()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def signal(self, signal_number: int) -> None:
        """Signal the service, if it runs."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal_number)
