"""What is measured: how each is started, how far it has come, and what its results say."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from benchmarks.sealing.traffic import Segment
from parley.settings import Settings


@dataclass(frozen=True, slots=True)
class Job:
    """One run of one peer: where it reads, where its results go, and a folder of its own."""

    settings: Settings
    input_topic: str
    output_topic: str
    folder: Path

    @property
    def group(self) -> str:
        """A name of its own is a group of its own: each run reads from the beginning."""
        return self.folder.name


class Running(Protocol):
    """A peer's process."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""

    @property
    def output(self) -> str:
        """Everything that it has printed."""


@dataclass(frozen=True, slots=True)
class Result:
    """A record of a peer's results."""

    key: bytes | None
    value: bytes


@dataclass(frozen=True, slots=True)
class Peer:
    """One of those that are measured.

    `progress` says how many records are done with, durably; `read` is None for a result that is
    no segment. `results` is how many records it should publish.
    """

    name: str
    start: Callable[[Job], AbstractContextManager[Running]]
    progress: Callable[[Job], Awaitable[int]]
    read: Callable[[Result], Segment | None]
    results: int
