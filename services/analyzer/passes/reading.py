"""Bounds what a pass reads of a conversation, so that its time has a bound as well."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reading:
    """What is read: of the first messages a part each; how many are shortened or left out."""

    parts: list[str]
    cut_count: int


def read(texts: Iterable[str], message_characters: int, all_characters: int) -> Reading:
    """The beginning of each text, until so many characters are read in all.

    A text takes the room of one character more than it has, so that empty ones come to an end too.
    """
    parts: list[str] = []
    room, cut_count = all_characters, 0
    for text in texts:
        part = text[: min(message_characters, room)]
        cut_count += len(part) < len(text) or room <= 0
        if room > 0:
            parts.append(part)
        room = max(0, room - len(part) - 1)
    return Reading(parts, cut_count)
