"""What this replica knows of one conversation: its state, what has passed, and who is there.

It is fed the conversation's records in the order of the log, and so decides as every other
replica does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol, TypeVar

from parley.conversation_state import ConversationStatus, fold
from parley.events import ConversationState, Event, MessageRecorded, StateRequested
from parley.live import InterimTranscript, LiveFrame

# Copies that clients sent again after a gateway died are recognised among so many events at least.
REMEMBERED_EVENTS: Final = 1_000
FORGOTTEN_AT_ONCE: Final = 100
REMEMBERED_UTTERANCES: Final = 256
REMEMBERED_DECISIONS: Final = 256
# Replicas that have the conversation open, as far as they can be counted.
KNOWN_GATEWAYS: Final = 1_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Known(Protocol):
    """What a glance at a record tells, or who has written it."""

    @property
    def kind(self) -> str | None:
        """The body's name on the wire."""

    @property
    def event_id(self) -> str:
        """The event's id."""

    @property
    def user_id(self) -> str:
        """Whose event it is; empty where nobody is named."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the log decided about a request, and between which states it went."""

    offset: int
    is_granted: bool
    previous: ConversationState
    state: ConversationState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The conversation as the tables have it, with everything below `next_offset` in it."""

    status: ConversationStatus
    next_offset: int
    owner: str | None = None


class Room:
    """One conversation; `status` is None until the tables told where the fold begins."""

    def __init__(self) -> None:
        self.status: ConversationStatus | None = None
        self.owner: str | None = None
        self._next_offset = 0
        self._seen: dict[str, int] = {}
        self._finished: dict[str, None] = {}
        self._sequences: dict[str, int] = {}
        self._decisions: dict[str, Decision] = {}
        self._open_elsewhere: dict[str, int] = {}

    @property
    def next_offset(self) -> int:
        """Records below this offset are in the status."""
        return self._next_offset

    @property
    def is_ended(self) -> bool:
        """Whether the conversation's talk is known to be over."""
        return self.status is not None and self.status.state is ConversationState.ENDED

    def begin(self, snapshot: Snapshot, since: Iterable[tuple[int, Event]]) -> None:
        """Begin the fold where the tables stand, and go on with the events since."""
        self.status = snapshot.status
        self.owner = snapshot.owner
        self._next_offset = snapshot.next_offset
        for offset, event in since:
            self.judge(offset, event)
            self.recall(offset, event.event_id)

    def forget(self, event_id: str) -> None:
        """A table refused an event that passed here: the state is unknown until it is told anew.

        The same event may come once more, as a new record.
        """
        self.status = None
        self._seen.pop(event_id, None)
        self._decisions.pop(event_id, None)

    def judge(self, offset: int, event: Event) -> Decision | None:
        """What becomes of a request; None for other events, and while the state is unknown."""
        body = event.body
        self.note_user(event.user_id)
        if self.status is None or offset < self._next_offset:
            return self._decisions.get(event.event_id)
        self._next_offset = offset + 1
        if not isinstance(body, StateRequested) or event.import_id is not None:
            return None
        previous = self.status.state
        self.status, is_granted = fold(self.status, event.event_id, body)
        decision = Decision(offset, is_granted, previous, self.status.state)
        # Of copies the first was decided about.
        if event.event_id not in self._decisions:
            _remember(self._decisions, event.event_id, decision, REMEMBERED_DECISIONS)
        return decision

    def decision(self, event_id: str) -> Decision | None:
        """What was decided about a request, if it is remembered."""
        return self._decisions.get(event_id)

    def is_new(self, offset: int, event: Event) -> bool:
        """Whether the event passes here for the first time, as far as is remembered."""
        if event.event_id in self._seen:
            return False
        _remember(self._seen, event.event_id, offset, REMEMBERED_EVENTS)
        if isinstance(event.body, MessageRecorded) and event.body.utterance_id:
            utterance_id = event.body.utterance_id
            self._sequences.pop(utterance_id, None)
            _remember(self._finished, utterance_id, None, REMEMBERED_UTTERANCES)
        return True

    def note_user(self, user_id: str) -> None:
        """An event names a user: the first one who is named owns the conversation.

        While the tables have not told, an earlier one may be the owner.
        """
        if self.status is not None and self.owner is None and user_id:
            self.owner = user_id

    def recall(self, offset: int, event_id: str) -> None:
        """An event passed while nobody here listened; of copies the first one counts."""
        seen = self._seen
        # Who is there already keeps its place.
        if offset < seen.setdefault(event_id, offset):
            seen[event_id] = offset
        # Many at once: what is first in a dict takes the longer to find, the more went before it.
        if len(seen) > REMEMBERED_EVENTS + FORGOTTEN_AT_ONCE:
            for oldest in list(islice(seen, FORGOTTEN_AT_ONCE)):
                del seen[oldest]

    def seen_at(self, event_id: str) -> int | None:
        """The offset at which an event passed, if it is remembered."""
        return self._seen.get(event_id)

    def is_worth_seeing(self, frame: LiveFrame) -> bool:
        """Whether a live frame still says something: not once its final, or a later one, passed."""
        body = frame.body
        if not isinstance(body, InterimTranscript):
            return True
        if body.utterance_id in self._finished:
            return False
        if body.sequence <= self._sequences.get(body.utterance_id, 0):
            return False
        _remember(self._sequences, body.utterance_id, body.sequence, REMEMBERED_UTTERANCES)
        return True

    def note_presence(self, gateway_id: str, open_connections: int) -> bool:
        """Count a gateway's connections; returns whether it was not known to have any."""
        is_news = gateway_id not in self._open_elsewhere and open_connections > 0
        if open_connections > 0:
            _remember(self._open_elsewhere, gateway_id, open_connections, KNOWN_GATEWAYS)
        else:
            self._open_elsewhere.pop(gateway_id, None)
        return is_news

    def forget_gateway(self, gateway_id: str) -> bool:
        """A gateway is gone; returns whether it was counted here."""
        return self._open_elsewhere.pop(gateway_id, None) is not None

    def open_elsewhere(self) -> int:
        """Connections that other gateways hold."""
        return sum(self._open_elsewhere.values())


def _remember(memory: dict[Key, Value], key: Key, value: Value, limit: int) -> None:
    """Keep the newest `limit` entries."""
    memory.pop(key, None)
    memory[key] = value
    if len(memory) > limit:
        del memory[next(iter(memory))]
