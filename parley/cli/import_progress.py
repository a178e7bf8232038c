"""The progress bars of an import, on stderr: one a phase."""

from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

from parley import clock
from parley.cli.output import say, stderr
from parley.cli.stall import StallWatch
from parley.importing.follow import Phase


class ImportProgress:
    """Shows reading, sorting, publishing, and then each phase that is waited for."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=stderr,
        )
        self._task = TaskID(0)
        self._watch = StallWatch(clock.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What was never begun would leave an empty line.
        if self._progress.tasks:
            self._progress.stop()

    def reading(self, total_bytes: int | None) -> None:
        """Begin with the file; None where its end is not known."""
        self._begin("reading", total_bytes)

    def read(self, bytes_read: int) -> None:
        """So far, of the source."""
        self._progress.update(self._task, completed=bytes_read)

    def sorting(self, row_count: int) -> None:
        """The whole file is read."""
        self._finish()
        self._begin("sorting", row_count)

    def sorted(self, row_count: int) -> None:
        """So far."""
        self._progress.update(self._task, completed=row_count)

    def prepared(self) -> None:
        """All is sorted, and nothing is published yet."""
        self._finish()

    def publishing(self, event_count: int) -> None:
        """Everything is sorted and checked."""
        self._begin("publishing", event_count)

    def published(self, event_count: int) -> None:
        """So far."""
        self._progress.update(self._task, completed=event_count)

    def waiting(self, phase: Phase) -> None:
        """Begin to wait for a phase."""
        self._watch = StallWatch(clock.monotonic())
        self._begin(phase.value, None)

    def followed(self, phase: Phase, done: int, total: int) -> None:
        """So far; says where to look when nothing moves."""
        stalled = self._watch.observe(phase, done, clock.monotonic())
        if stalled:
            say(stalled)
        self._progress.update(self._task, completed=done, total=total)

    def reached(self, phase: Phase) -> None:
        """The phase is over."""
        self._progress.update(self._task, description=phase.value)
        self._finish()

    def _begin(self, description: str, total: int | None) -> None:
        self._progress.start()
        self._task = self._progress.add_task(description, total=total)

    def _finish(self) -> None:
        task = self._progress.tasks[self._task]
        total = task.total or task.completed or 1
        self._progress.update(self._task, total=total, completed=total)
        self._progress.stop_task(self._task)
