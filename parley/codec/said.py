"""Reads messages without their content, many at once: all that sealing asks of one."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from parley.codec.record import LogRecord
from parley.codec.usual import Fields, usual_messages
from parley.events import Said

# As its constructor does, which looks for defaults first.
_said: Final = partial(tuple.__new__, Said)


def said_in(records: Sequence[LogRecord]) -> list[Said | None]:
    """The message of each record; None where another look is needed to say what it is.

    Of the headers nothing is looked at: the records must say by themselves when they were appended.
    """
    return usual_messages(records, _all_said)


def _all_said(_: Sequence[LogRecord], columns: Fields) -> Iterable[Said]:
    return map(_said, zip(*(columns[name] for name in Said._fields), strict=True))
