"""docker-compose.yml as a project of this run's own: its name, its images, its ports."""

import json
import os
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from parley.local import ports
from tests.support.processes import ROOT

SERVICES: Final = ("gateway", "persister", "sealer", "analyzer", "activity")
SCALE: Final = {"gateway": 3, "persister": 2, "sealer": 2, "analyzer": 2}
# There is one of each of these.
STEADY: Final = (
    *("proxy", "activity", "kafka", "postgres"),
    *("prometheus", "alertmanager", "grafana"),
)
PORTS: Final = ("PARLEY_HTTP", "PROMETHEUS", "ALERTMANAGER", "GRAFANA")
FILES: Final = (ROOT / "docker-compose.yml", ROOT / "tests" / "compose" / "override.yml")
IMAGE: Final = "parley-compose-test:local"
PROXY_IMAGE: Final = "parley-compose-test-proxy:local"
MINUTES: Final = 60


@dataclass(frozen=True, slots=True)
class Gone:
    """How a container, or a command in one, ended."""

    status: int
    output: str
    errors: str


def _free_ports() -> list[int]:
    return ports.choose([None] * len(PORTS))


def hurried_rules(folder: Path) -> Path:
    """A copy of the alert rules that wait 5 s where Parley's own wait a minute or more."""
    for file in (ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"):
        text = re.sub(r"\bfor: \w+", "for: 5s", file.read_text())
        text = text.replace("lag_seconds:max > 60", "lag_seconds:max > 5")
        (folder / file.name).write_text(text)
    folder.chmod(0o755)
    return folder


class Project:
    """One `docker compose` project; nothing of it is left after `down`."""

    def __init__(self, name: str, rules: Path) -> None:
        # Of the caller's variables none that would change what is tested.
        ours = ("PARLEY_", "POSTGRES_", "GRAFANA_", "COMPOSE_", "KAFKA_", "OPENAI_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self.environment = {
            **kept,
            "COMPOSE_PROJECT_NAME": name,
            "COMPOSE_FILE": ":".join(str(file) for file in FILES),
            # Neither .env nor ports of a product that runs beside it; a container that starts
            # again keeps its port.
            "COMPOSE_DISABLE_ENV_FILE": "1",
            "SERVICES_IMAGE": IMAGE,
            "PROXY_IMAGE": PROXY_IMAGE,
            **{f"{name}_PORT": str(port) for name, port in zip(PORTS, _free_ports(), strict=True)},
            "HURRIED_RULES": str(rules),
        }

    # --- compose ------------------------------------------------------------------------------

    def compose(self, *words: str, timeout_s: float = 5 * MINUTES) -> str:
        """Run `docker compose`; returns what it printed; raises AssertionError."""
        return self._checked(
            "docker", "compose", "--progress", "quiet", *words, timeout_s=timeout_s
        )

    def up(self, *services: str, **scale: int) -> None:
        """Bring services to these numbers of containers, and wait until all are healthy."""
        numbers = [word for name, n in scale.items() for word in ("--scale", f"{name}={n}")]
        self.compose("up", "--detach", "--wait", "--no-recreate", *numbers, *services)

    def down(self) -> None:
        """Remove its containers, networks and volumes, whatever state they are in."""
        self.compose("--profile", "command", "down", "--volumes", "--timeout", "10")

    def command(self, *words: str) -> Gone:
        """`parley …` in a container of its own."""
        run = ("run", "--rm", "--no-deps", "--no-TTY", "parley", *words)
        return self._run("docker", "compose", "--progress", "quiet", *run)

    def start_with(self, service: str, *variables: str, words: Sequence[str] = ()) -> Gone:
        """One more container of a service, with variables of its own, until it ends."""
        given = [word for one in variables for word in ("--env", one)]
        run = ("run", "--rm", "--no-deps", "--no-TTY", *given, service, *words)
        return self._run("docker", "compose", "--progress", "quiet", *run)

    def port(self, service: str, inside: int) -> int:
        """The port on loopback that leads to one of a service's."""
        return int(self.compose("port", service, str(inside)).strip().rpartition(":")[2])

    def url(self, service: str, inside: int) -> str:
        return f"http://127.0.0.1:{self.port(service, inside)}"

    def rows(self, query: str) -> list[Any]:
        """What PostgreSQL answers, as JSON values, one a row."""
        text = f"SELECT row_to_json(found) FROM ({query}) AS found"  # noqa: S608 - a test's own
        psql = ("psql", "-U", "parley", "-d", "parley", "-XAtc", text)
        return [
            json.loads(line) for line in self.compose("exec", "-T", "postgres", *psql).splitlines()
        ]

    # --- containers ---------------------------------------------------------------------------

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers that run."""
        return self.compose("ps", "--quiet", "--status", "running", service).split()

    def healthy(self) -> Counter[str]:
        """How many containers of each service are healthy."""
        lines = self.compose("ps", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines]
        return Counter(one["Service"] for one in found if one["Health"] == "healthy")

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.docker("inspect", container))[0]
        return found

    def docker(self, *words: str) -> str:
        return self._checked("docker", *words, timeout_s=2 * MINUTES)

    def attempt(self, *command: str) -> Gone:
        """What may fail."""
        return self._run(*command)

    def kill_inside(self, container: str) -> None:
        """`kill -9` of all that runs in it, as a fault would: its init ends with its service."""
        # This command's own process is among what dies.
        everything = "import os, signal; os.kill(-1, signal.SIGKILL)"
        ended = self._run("docker", "exec", container, "python", "-c", everything)
        assert ended.status in (0, 137), ended

    def upgrade(self) -> None:
        """What an operator runs once a new image is there."""
        self._checked(str(ROOT / "deploy" / "upgrade"), timeout_s=10 * MINUTES)

    def _checked(self, *command: str, timeout_s: float) -> str:
        ended = self._run(*command, timeout_s=timeout_s)
        assert ended.status == 0, f"{' '.join(command)}\n{ended.output}{ended.errors}"
        return ended.output

    def _run(self, *command: str, timeout_s: float = 3 * MINUTES) -> Gone:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        return Gone(done.returncode, done.stdout, done.stderr)
