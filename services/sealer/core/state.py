"""A partition in memory: its time, its conversations, and what is not saved yet."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from parley.rules import FIRST_RULE
from parley.seals import SegmentSealed, SessionSettled
from services.sealer.core.conversation import Conversation
from services.sealer.core.deadlines import DeadlineQueue
from services.sealer.core.import_progress import ImportProgress
from services.sealer.core.records import ConversationKey, Entry, Key
from services.sealer.core.sessions import Session
from services.sealer.core.window import Decided, Window

Decision = SegmentSealed | SessionSettled

# Before every append time: the watermark of a partition that no record has come to.
BEGINNING: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(slots=True)
class Unsaved:
    """What differs from the last save."""

    windows: dict[Window, None] = field(default_factory=dict)
    absorbed: dict[tuple[ConversationKey, str], None] = field(default_factory=dict)
    rewritten: dict[tuple[ConversationKey, str], None] = field(default_factory=dict)
    # Ids that are known no more.
    dropped: dict[tuple[ConversationKey, str], None] = field(default_factory=dict)
    # Placed (True) or lifted (False); the last one counts.
    cuts: dict[tuple[ConversationKey, Key], bool] = field(default_factory=dict)
    sessions: dict[Session, None] = field(default_factory=dict)
    loose: dict[ConversationKey, list[Entry]] = field(default_factory=dict)

    def note_loose(self, key: ConversationKey, entry: Entry) -> None:
        """An id to know that belongs to no segment."""
        self.loose.setdefault(key, []).append(entry)

    def note_dropped(self, key: ConversationKey, event_id: str) -> None:
        """An id is forgotten, wherever it is stored or was to be."""
        self.dropped[(key, event_id)] = None
        loose = self.loose.get(key)
        if loose:
            self.loose[key] = [one for one in loose if one.event_id != event_id]

    def note_rewritten(self, window: Window) -> None:
        """All entries of a segment are to be written anew."""
        self.rewritten[(window.key, window.segment_id)] = None


@dataclass(slots=True)
class PartitionState:
    """Everything that the fold of one partition remembers."""

    incarnation: str
    partition: int
    watermark: datetime = BEGINNING
    offset: int = -1
    rule_version: int = FIRST_RULE
    conversations: dict[ConversationKey, Conversation] = field(default_factory=dict)
    # How many windows are open: counted as they open and close, since there may be very many.
    open_count: int = 0
    imports: dict[str, ImportProgress] = field(default_factory=dict)
    queue: DeadlineQueue = field(default_factory=DeadlineQueue)
    decisions: list[Decision] = field(default_factory=list)
    # Deadlines that were reached since they were last taken, for whoever measures delays.
    reached: list[datetime] = field(default_factory=list)
    unsaved: Unsaved = field(default_factory=Unsaved)
    # Conversations that changed since memory was last trimmed.
    touched: dict[ConversationKey, None] = field(default_factory=dict)

    def conversation(self, key: ConversationKey) -> Conversation:
        """The conversation to change; one that memory does not hold is new."""
        self.touched[key] = None
        conversation = self.conversations.get(key)
        if conversation is None:
            conversation = self.conversations[key] = Conversation(key)
        return conversation

    def recall_session(self, conversation: Conversation, session: Session) -> None:
        """Take in a session from its row."""
        conversation.sessions[session.session_id] = session
        if session.is_open:
            conversation.count_session(session, +1)
        self.queue.schedule(session)

    def take_decisions(self) -> list[Decision]:
        """What was decided since the last call, in its order."""
        if not self.decisions:
            return []
        decisions, self.decisions = self.decisions, []
        return decisions

    def decided(self) -> Decided:
        """Where the fold stands."""
        return Decided(self.incarnation, self.partition, self.offset, self.watermark)

    def place_cut(self, conversation: Conversation, place: Key) -> None:
        """Place a cut, to be saved."""
        conversation.place_cut(place)
        self.unsaved.cuts[(conversation.key, place)] = True

    def lift_cut(self, conversation: Conversation, place: Key) -> None:
        """Lift a cut, to be saved."""
        conversation.lift_cut(place)
        self.unsaved.cuts[(conversation.key, place)] = False

    def reopen(self, window: Window) -> None:
        """A window that has closed is open again; one that is open stays so."""
        if not window.is_open:
            window.is_open = True
            self.open_count += 1

    def changed(self, window: Window) -> None:
        """A window is to be saved, and its deadline may be another."""
        self.unsaved.windows[window] = None
        self.queue.schedule(window)
