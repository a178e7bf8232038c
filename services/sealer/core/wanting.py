"""What must be recalled of the tables before a batch is observed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from parley.events import (
    Event,
    MessageRevised,
    Said,
    SealForced,
    SessionEnded,
    StateRequested,
)
from services.sealer.core.facts import Fact, as_fact
from services.sealer.core.records import ConversationKey

Range = tuple[datetime, datetime]


class WantedMessage(NamedTuple):
    """A message to come: what lies within its reach may join it."""

    event_id: str
    earliest: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """What must be recalled of a conversation before its next events are observed.

    Segments: those that meet the reach of a message whose id is not known, those that hold a
    target, those that one of the messages opened, and in outline the last of one that is a
    stranger to memory. Cuts: all from the earliest of these on. Memory has those beside what is
    open.
    """

    key: ConversationKey
    is_stranger: bool
    messages: tuple[WantedMessage, ...] = ()
    ranges: tuple[Range, ...] = ()
    other_ids: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    session_ids: tuple[str, ...] = ()


class Wish(NamedTuple):
    """A conversation's next facts, and where besides a segment of it may reach.

    Most conversations that memory does not know are new: what exactly is wanted of one is found
    out where the tables hold anything of it.
    """

    key: ConversationKey
    is_stranger: bool
    facts: Sequence[Fact]
    ranges: tuple[Range, ...]

    def wanted(self) -> Wanted:
        """Spelled out."""
        facts = [as_fact(one) if type(one) is Event else one for one in self.facts]
        said = [one for one in facts if isinstance(one, Said)]
        others = [one for one in facts if not isinstance(one, Said)]
        bodies = [one.body for one in others]
        return Wanted(
            self.key,
            self.is_stranger,
            tuple(_wanted_message(one) for one in said),
            (*self.ranges, *_imported_ends(others)),
            tuple(one.event_id for one in others if isinstance(one.body, _REMEMBERED)),
            tuple(one.target_event_id for one in bodies if isinstance(one, MessageRevised)),
            tuple(dict.fromkeys(one.session_id for one in facts if one.session_id)),
        )


_REMEMBERED = (MessageRevised, SealForced, StateRequested)


def _wanted_message(said: Said) -> WantedMessage:
    return WantedMessage(said.event_id, said.event_time, said.event_time + said.policy.idle_gap)


def _imported_ends(events: Sequence[Event]) -> list[Range]:
    """Where an imported session's end cuts."""
    return [
        (one.event_time, one.event_time)
        for one in events
        if isinstance(one.body, SessionEnded) and one.import_id is not None
    ]


class Rejected(NamedTuple):
    """A record that a table refused: the segment of its event must be recalled, if any."""

    event_id: str
    offset: int


@dataclass(frozen=True, slots=True)
class Wants:
    """What must be recalled before a batch is observed.

    A message of a rejected id counts as not known: it may be dropped and come again at once.
    """

    conversations: tuple[Wish, ...]
    rejected: tuple[Rejected, ...]
