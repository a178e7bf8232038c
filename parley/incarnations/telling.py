"""What a move tells the person who waits for it."""

from typing import Protocol


class Telling(Protocol):
    """Where progress goes."""

    def say(self, sentence: str) -> None:
        """Tell something."""

    def begin(self, name: str, total: int) -> None:
        """A phase of so many records begins."""

    def advance(self, count: int) -> None:
        """So many more are done."""
