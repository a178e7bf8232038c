"""Starts, finds and stops one server of the stack; what differs per server is in its own file."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from parley.errors import UserError
from parley.local import logs, ports, processes
from parley.local.processes import ProcessIdentity
from parley.local.state import StateFile

START_SECONDS = 60.0
PORT_SECONDS = 3.0
STOP_SECONDS = 30.0
_ATTEMPTS = 3


class Program(Protocol):
    """What Kafka and PostgreSQL each know about themselves."""

    name: str
    log: Path
    port_names: tuple[str, ...]
    """The names of the ports it needs; clients connect to the first."""
    stop_signal: int

    @property
    def marks(self) -> frozenset[str]:
        """Return command line arguments that only this very server of this stack has."""

    def prepare(self, progress: Callable[[str], None]) -> None:
        """Create what the server needs before its first start; do nothing later."""

    def spawn(self, numbers: dict[str, int]) -> ProcessIdentity:
        """Start the process on these ports."""

    def is_ready(self, process: ProcessIdentity, port: int) -> bool:
        """Return whether that process serves clients on the port."""


class Server:
    """One running or stopped server; its pid and ports are in the stack's state file."""

    def __init__(self, program: Program, state: StateFile) -> None:
        self.program = program
        self._state = state

    @property
    def process(self) -> ProcessIdentity | None:
        """Return the running server's process, or None. A reused pid is never taken for it."""
        recorded = ProcessIdentity.from_record(self._record())
        if recorded is not None and recorded.has_arguments(self.program.marks):
            return recorded
        # Somebody may have been killed between starting it and writing its pid down.
        return processes.find_by_arguments(self.program.marks)

    @property
    def pid(self) -> int | None:
        """Return the running server's pid, or None."""
        process = self.process
        return None if process is None else process.pid

    @property
    def port(self) -> int:
        """Return the loopback port for clients, of the last start. Raises KeyError before it."""
        return int(self._record()["ports"][self.program.port_names[0]])

    def is_ready(self) -> bool:
        """Return whether the server runs and serves clients."""
        process = self.process
        return process is not None and self.program.is_ready(process, self.port)

    def up(self, progress: Callable[[str], None]) -> None:
        """Start the server unless it runs, and return when clients can connect.

        Raises UserError, with the end of the server's log, when it does not start.
        """
        process = self.process
        if process is not None and self._wait_ready(process, self.port):
            return
        self.down()
        self.program.prepare(progress)
        for _ in range(_ATTEMPTS):
            # Another program can take a port between our choice and the server's start.
            if self._start():
                progress(f"{self.program.name}: ready on {ports.LOOPBACK}:{self.port}")
                return
        raise self._failure()

    def _start(self) -> bool:
        last = self._record().get("ports", {})
        # A killed server's threads let go of its port a moment after it counts as gone; clients
        # that reconnect know this port and no other.
        processes.wait_until(lambda: all(map(ports.is_free, last.values())), PORT_SECONDS)
        numbers = ports.choose(last.get(name) for name in self.program.port_names)
        chosen = dict(zip(self.program.port_names, numbers, strict=True))
        self._save(ports=chosen)
        process = self.program.spawn(chosen)
        self._save(**process.to_record())
        return self._wait_ready(process, self.port)

    def _wait_ready(self, process: ProcessIdentity, port: int) -> bool:
        processes.wait_until(
            lambda: self.program.is_ready(process, port) or not process.is_alive(), START_SECONDS
        )
        return self.program.is_ready(process, port)

    def down(self) -> None:
        """Stop the server cleanly, and by force after 30 seconds."""
        process = self.process
        if process is not None:
            processes.stop(process, self.program.stop_signal, STOP_SECONDS)

    def kill(self) -> None:
        """Kill the server as a crash would (`kill -9`), and return when it is gone."""
        process = self.process
        if process is not None:
            process.send(signal.SIGKILL)
            process.wait(10)

    def _record(self) -> dict[str, Any]:
        return dict(self._state.read().get(self.program.name, {}))

    def _save(self, **entries: object) -> None:
        self._state.update(**{self.program.name: {**self._record(), **entries}})

    def _failure(self) -> UserError:
        lines = "".join(f"\n  {line}" for line in logs.last_lines(self.program.log, 8))
        return UserError(
            f"{self.program.name} did not start. The end of {self.program.log}:{lines}",
            "Correct that and start again; `parley local reset` begins anew without the data.",
        )
