"""Cases of session windows that other projects test themselves with, and what is sealed here.

Times are milliseconds. Their streams' time is our watermark; a message with a gap of its own stands
for a window that their test adds by its bounds. Where `differs` is empty the segments are theirs.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple


class Said(NamedTuple):
    """A message of a conversation; without a `gap` of its own it has the case's."""

    key: str
    time: int
    gap: int | None = None


class Mark(NamedTuple):
    """The watermark is here now."""

    time: int


Steps = tuple[Said | Mark, ...]


class Sealed(NamedTuple):
    """A seal: first and last message, how many, which revision, how many others it retracts."""

    key: str
    first: int
    last: int
    message_count: int
    revision: int = 1
    retracted: int = 0
    cause: str = "idle"


@dataclass(frozen=True, slots=True)
class Case:
    """`project`, its test class and method; `grace` is their lateness where they have one."""

    project: str
    method: str
    gap: int
    steps: Steps
    seals: tuple[Sealed, ...]
    differs: str = ""
    grace: int = 0
    max_messages: int = 5_000


def said(key: str, *times: int) -> Steps:
    return tuple(Said(key, time) for time in times)


def windows(*bounds: tuple[int, int]) -> Steps:
    return tuple(Said("k", start, end - start) for start, end in bounds)


LATE: Final = "late"
