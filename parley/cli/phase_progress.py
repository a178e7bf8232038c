"""The progress of long work on stderr: a bar a phase, with its rate and what is left."""

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
    TimeRemainingColumn,
)
from rich.progress import Task as ProgressTask
from rich.text import Text

from parley.cli.output import say, stderr


class PhaseProgress:
    """Shows each phase as a bar, the former one as done."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<16}"),
            BarColumn(),
            TaskProgressColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=stderr,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.finish()
        # What was never begun would leave an empty line.
        if self._progress.tasks:
            self._progress.stop()

    def begin(self, what: str, total: int | None) -> None:
        """Begin a phase that is so long; None where nobody knows."""
        self.finish()
        self._progress.start()
        self._task = self._progress.add_task(what, total=total)

    def advance(self, count: int) -> None:
        """So many more."""
        if self._task is not None:
            self._progress.advance(self._task, count)

    def reach(self, done: int, total: int | None = None) -> None:
        """So many in all; `total` where it is known by now."""
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total)

    def finish(self) -> None:
        """The phase is over."""
        if self._task is None:
            return
        task = self._progress.tasks[self._task]
        total = task.total or task.completed or 1
        self._progress.update(self._task, total=total, completed=total)
        self._progress.stop_task(self._task)
        self._task = None

    def say(self, sentence: str) -> None:
        """Tell the person something beside the bars."""
        say(sentence)


class _Rate(TextColumn):
    """How many a second, of late."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: ProgressTask) -> Text:
        """Nothing where nothing is counted."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")
