"""A peer's process: a command whose output goes to a file, killed at the end."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from parley.local import environment


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started, with the file that holds what it prints."""

    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.process.poll() is None

    @property
    def output(self) -> str:
        """Everything that it has printed."""
        return self.log.read_text(errors="replace")


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[Child]:
    """Run a command until the end of the `with`."""
    log = folder / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment.minimal(), stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield Child(process, log)
    finally:
        process.kill()
        process.wait()


def write_properties(path: Path, properties: Mapping[str, str]) -> Path:
    """A file of properties as Java reads them."""
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    return path
