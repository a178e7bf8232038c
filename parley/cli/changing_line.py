"""One line of progress on stderr: written over on a terminal, whole lines anywhere else."""

from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from parley import clock

# How often a file or a pipe gets a line, in seconds.
_LINE_EVERY_S: Final = 5.0


class ChangingLine:
    """Shows the latest text; where it cannot be written over, now and then and at the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._text = self._printed = ""
        self._printed_at = clock.monotonic()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
        else:
            self._print()

    def show(self, text: str) -> None:
        """Take this as how it stands now."""
        self._text = text
        if self._live is not None:
            self._live.update(Text(text, overflow="fold"), refresh=True)
        elif clock.monotonic() - self._printed_at >= _LINE_EVERY_S:
            self._print()

    def _print(self) -> None:
        if self._text != self._printed:
            self._console.print(escape(self._text))
        self._printed, self._printed_at = self._text, clock.monotonic()
