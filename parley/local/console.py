"""Prints the lines of several services to one terminal, each with its service's name."""

from collections.abc import Sequence
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
OWN_NAME = "parley"


class Console:
    """Prefixes lines, `gateway   | …`, in a colour per service where the output is a terminal."""

    def __init__(self, output: TextIO, names: Sequence[str]) -> None:
        self._output = output
        self._width = max(len(name) for name in (*names, OWN_NAME))
        self._is_open = True
        coloured = output.isatty()
        self._colours = {
            name: _COLOURS[index % len(_COLOURS)] if coloured else None
            for index, name in enumerate(names)
        }

    def write(self, name: str, line: str) -> None:
        """Print one line of that service."""
        prefix = f"{name:<{self._width}} |"
        colour = self._colours.get(name)
        if colour is not None:
            prefix = f"\x1b[{colour}m{prefix}\x1b[0m"
        self._print(f"{prefix} {line}")

    def say(self, sentence: str) -> None:
        """Print one line of the supervisor's own."""
        self.write(OWN_NAME, sentence)

    def _print(self, text: str) -> None:
        if not self._is_open:
            return
        try:
            print(text, file=self._output, flush=True)
        except BrokenPipeError:
            # The reader (`| head`) has gone; the services go on and their log files say all.
            self._is_open = False
