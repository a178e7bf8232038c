"""The progress of an import: what it reads, sorts, publishes, and then waits for."""

from types import TracebackType
from typing import Self

from parley import clock
from parley.cli.phase_progress import PhaseProgress
from parley.cli.stall import StallWatch
from parley.importing.follow import Phase


class ImportProgress:
    """Shows reading, sorting, publishing, and then each phase that is waited for."""

    def __init__(self) -> None:
        self._phases = PhaseProgress()
        self._watch = StallWatch(clock.monotonic())

    def __enter__(self) -> Self:
        self._phases.__enter__()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._phases.__exit__(error_type, error, trace)

    def reading(self, total_bytes: int | None) -> None:
        """Begin with the file; None where its end is not known."""
        self._phases.begin("reading", total_bytes)

    def read(self, bytes_read: int) -> None:
        """So far, of the source."""
        self._phases.reach(bytes_read)

    def sorting(self, row_count: int) -> None:
        """The whole file is read."""
        self._phases.begin("sorting", row_count)

    def sorted(self, row_count: int) -> None:
        """So far."""
        self._phases.reach(row_count)

    def prepared(self) -> None:
        """All is sorted, and nothing is published yet."""
        self._phases.finish()

    def publishing(self, event_count: int) -> None:
        """Everything is sorted and checked."""
        self._phases.begin("publishing", event_count)

    def published(self, event_count: int) -> None:
        """So far."""
        self._phases.reach(event_count)

    def waiting(self, phase: Phase) -> None:
        """Begin to wait for a phase."""
        self._watch = StallWatch(clock.monotonic())
        self._phases.begin(phase.value, None)

    def followed(self, phase: Phase, done: int, total: int) -> None:
        """So far; says where to look when nothing moves."""
        stalled = self._watch.observe(phase, done, clock.monotonic())
        if stalled:
            self._phases.say(stalled)
        self._phases.reach(done, total)

    def reached(self, _phase: Phase) -> None:
        """The phase is over."""
        self._phases.finish()
