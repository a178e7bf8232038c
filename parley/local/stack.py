"""The embedded stack: a Kafka and a PostgreSQL of this checkout's own, started side by side."""

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.local import ports
from parley.local.kafka import KafkaProgram
from parley.local.postgres import PostgresProgram
from parley.local.server import Server
from parley.local.state import StateFile


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients connect."""

    kafka_bootstrap: str
    """host:port of the broker."""
    database_url: str
    """postgresql://… with user, password and database; it is a secret."""
    topic_names: str = ""
    """PARLEY_TOPIC_NAMES where a topic of the embedded Kafka took another's place."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """What runs of one server."""

    name: str
    is_ready: bool
    pid: int | None
    address: str | None
    """host:port, without a password; None where it has never started."""


class Stack:
    """A Kafka and a PostgreSQL whose data, ports and pids are in one folder.

    Stacks in different folders never meet. A Kafka or a database that the caller already has
    takes the place of the embedded one, which is then not started.
    """

    def __init__(
        self,
        state_dir: Path,
        cache_dir: Path | None = None,
        *,
        kafka_bootstrap: str | None = None,
        database_url: str | None = None,
    ) -> None:
        self.state_dir = state_dir.resolve()
        cache = (cache_dir or state_dir).resolve()
        self.state = StateFile(self.state_dir / "stack.json")
        self._postgres_program = PostgresProgram(self.state_dir)
        self.kafka = Server(KafkaProgram(self.state_dir, cache), self.state)
        self.postgres = Server(self._postgres_program, self.state)
        self._kafka_bootstrap = kafka_bootstrap
        self._database_url = database_url

    def up(self, progress: Callable[[str], None]) -> Endpoints:
        """Start what does not run yet and return when clients can connect.

        `progress` is called, from several threads, with sentences for people.
        Raises UserError when a download or a start fails.
        """
        with self._locked(), ThreadPoolExecutor() as pool:
            starting = [pool.submit(server.up, progress) for server in self._embedded()]
            for start in starting:
                start.result()
            endpoints = self.endpoints()
            self._tell_commands(endpoints)
        return endpoints

    def _tell_commands(self, endpoints: Endpoints) -> None:
        """Write down where the embedded servers are: `parley.settings` reads it.

        What the caller brought is not written: it may hold somebody's password.
        """
        if not self._kafka_bootstrap:
            self.state.update(kafka_bootstrap=endpoints.kafka_bootstrap)
        if not self._database_url:
            self.state.update(database_url=endpoints.database_url)

    def _embedded(self) -> list[Server]:
        kafka = [] if self._kafka_bootstrap else [self.kafka]
        return kafka + ([] if self._database_url else [self.postgres])

    def endpoints(self) -> Endpoints:
        """Return where clients connect. Raises KeyError where the stack has never started."""
        names = None if self._kafka_bootstrap else self.state.read().get("topic_names")
        return Endpoints(
            self._kafka_bootstrap or f"{ports.LOOPBACK}:{self.kafka.port}",
            self._database_url or self._postgres_program.url(self.postgres.port),
            json.dumps(names) if names else "",
        )

    def down(self) -> None:
        """Stop both servers cleanly; the data stays."""
        with self._locked(), ThreadPoolExecutor() as pool:
            list(pool.map(Server.down, (self.kafka, self.postgres)))

    def reset(self) -> None:
        """Stop both servers and delete their data; the downloaded jars and the logs stay."""
        # A folder without our state file may be anybody's, and so may its `kafka`.
        if not self.state.path.exists():
            return
        self.down()
        for folder in ("kafka", "postgres"):
            if (self.state_dir / folder).exists():
                shutil.rmtree(self.state_dir / folder)
        self.state.remove()

    def status(self) -> list[ServerStatus]:
        """Return what runs now."""
        return [self._status(server) for server in (self.kafka, self.postgres)]

    def _status(self, server: Server) -> ServerStatus:
        started_once = server.program.name in self.state.read()
        address = f"{ports.LOOPBACK}:{server.port}" if started_once else None
        is_ready = started_once and server.is_ready()
        return ServerStatus(server.program.name, is_ready, server.pid, address)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process at a time start or stop this stack."""
        self.state_dir.mkdir(parents=True, exist_ok=True)
        with (self.state_dir / "stack.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
