"""What is counted of a live conversation, in which windows, and how figures add up.

Speech is counted in words, as white space separates them, and in messages that come with audio:
no event says how long somebody spoke, so there are no seconds of speech.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple, Self

WINDOWS: Final = (timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=15))


class Group(NamedTuple):
    """What figures are told apart by."""

    tenant_id: str
    channel: str


@dataclass(frozen=True, slots=True)
class Counts:
    """What happened within a window; `conversations` are distinct ones with a message in it."""

    messages: int = 0
    conversations: int = 0
    user_words: int = 0
    assistant_words: int = 0
    audio_messages: int = 0

    def __add__(self, other: Self) -> Self:
        # A conversation lies in one partition, so those of several partitions are distinct.
        return type(self)(
            self.messages + other.messages,
            self.conversations + other.conversations,
            self.user_words + other.user_words,
            self.assistant_words + other.assistant_words,
            self.audio_messages + other.audio_messages,
        )


# By window, shortest first.
GroupFigures = Mapping[timedelta, Counts]


@dataclass(frozen=True, slots=True)
class PartitionFigures:
    """What one partition of the log adds.

    `behind_records` are those that the worker has not read yet; `is_capped` says that a limit was
    reached within the longest window, so that the figures are too low.
    """

    partition: int
    groups: Mapping[Group, GroupFigures]
    behind_records: int = 0
    is_capped: bool = False


class ActivityState(StrEnum):
    """What figures are worth."""

    COUNTED = "counted"
    INCOMPLETE = "incomplete"
    NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True)
class Activity:
    """The latest figures of all partitions.

    `measured_at` is when the oldest of them was measured, and `age` how long that is ago, by the
    database's clock; both are None, and there are no groups, where no worker measures.
    `reasons` say in words why figures are too low, or that there are none.
    """

    state: ActivityState
    groups: Mapping[Group, GroupFigures]
    measured_at: datetime | None = None
    age: timedelta | None = None
    reasons: Sequence[str] = ()

    def total(self) -> GroupFigures:
        """All groups together; a conversation that talks in two channels counts in both."""
        return summed(self.groups.values())


# A worker measures every 2 seconds: after this long nobody does.
FRESH_FOR: Final = timedelta(seconds=15)
NO_WORKER: Final = Activity(
    ActivityState.NO_WORKER,
    {},
    reasons=(f"no activity worker has measured for {FRESH_FOR.seconds} seconds",),
)


def summed(figures: Iterable[GroupFigures]) -> GroupFigures:
    """Window by window."""
    total = dict.fromkeys(WINDOWS, Counts())
    for one in figures:
        for window, counts in one.items():
            total[window] += counts
    return total
