"""The facts of a conversation, as every service sees them behind the codec.

Those of which every message makes one are named tuples, which are made thrice as fast.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NamedTuple


class Role(StrEnum):
    """Who spoke."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"
    TOOL = "tool"


class EndReason(StrEnum):
    """Why a session ended."""

    EXPLICIT = "explicit"
    DISCONNECTED = "disconnected"
    IDLE = "idle"
    IMPORTED = "imported"


class RevisionKind(StrEnum):
    """Why the content of a message was replaced."""

    INTERRUPTED = "interrupted"
    CORRECTED = "corrected"


class ConversationState(StrEnum):
    """A conversation's state, as its participants see it."""

    IDLE = "idle"
    LISTENING = "listening"
    PROCESSING = "processing"
    SPEAKING = "speaking"
    WAITING_FOR_USER = "waiting_for_user"
    ERROR = "error"
    ENDED = "ended"


class ImportOutcome(StrEnum):
    """How an import ended."""

    COMPLETED = "completed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Policy:
    """When a conversation counts as quiet, as it was in force when the event was written."""

    policy_id: str = "default"
    version: int = 1
    idle_gap: timedelta = timedelta(minutes=90)
    grace: timedelta = timedelta(seconds=60)
    seal_on_end: bool = False
    max_duration: timedelta = timedelta(hours=24)
    max_messages: int = 5_000


class Content(NamedTuple):
    """What was said; `metadata_json` is a JSON object as text, empty for none."""

    text: str
    audio_url: str | None = None
    metadata_json: str = ""


@dataclass(frozen=True, slots=True)
class ConversationCreated:
    """A conversation was given its first facts."""

    title: str = ""
    personality: str = ""
    metadata_json: str = ""


@dataclass(frozen=True, slots=True)
class ConversationUpdated:
    """Facts of a conversation changed; None stays as it was."""

    title: str | None = None
    personality: str | None = None
    channel: str | None = None
    metadata_json: str | None = None


@dataclass(frozen=True, slots=True)
class SessionStarted:
    """A session began."""

    generation: int = 1
    connection_id: str = ""
    client_ip: str = ""
    user_agent: str = ""
    metadata_json: str = ""


@dataclass(frozen=True, slots=True)
class SessionResumed:
    """A client came back to its session over another connection."""

    generation: int
    connection_id: str = ""
    client_ip: str = ""
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class SessionRefreshed:
    """The session is still open."""

    generation: int
    connection_id: str = ""


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """A session ended: the generation that it names, and it loses to a later one."""

    generation: int
    reason: EndReason
    connection_id: str = ""


class MessageRecorded(NamedTuple):
    """One final utterance."""

    role: Role
    content: Content
    utterance_id: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class MessageRevised:
    """A message has other content than was first recorded."""

    target_event_id: str
    kind: RevisionKind
    content: Content


@dataclass(frozen=True, slots=True)
class StateRequested:
    """Somebody asked for a transition; the log decides who of several wins."""

    source: ConversationState
    target: ConversationState
    cause: str = ""
    request_id: str = ""
    reopen: bool = False


@dataclass(frozen=True, slots=True)
class PreferencesChanged:
    """A user's preferences, whole."""

    personality: str = ""
    language: str = ""
    voice: str = ""
    free_json: str = ""


@dataclass(frozen=True, slots=True)
class SealForced:
    """An operator seals a conversation now."""

    request_id: str
    requested_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ImportStarted:
    """Historical events of the envelope's import follow in this partition."""

    source: str = ""


@dataclass(frozen=True, slots=True)
class ImportFinished:
    """No further events of the envelope's import follow in this partition."""

    outcome: ImportOutcome
    event_count: int = 0
    conversation_count: int = 0


@dataclass(frozen=True, slots=True)
class RuleActivated:
    """From here on the partition's records are judged by these versions."""

    rule_version: int
    validity_version: int


@dataclass(frozen=True, slots=True)
class RecordRejected:
    """A table refused the valid record at this offset: every consumer drops it."""

    rejected_offset: int
    rejected_event_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Reserved for erasure."""

    key_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed without a record; written by the sealer that owns the partition."""

    deadline: datetime


Body = (
    ConversationCreated
    | ConversationUpdated
    | SessionStarted
    | SessionResumed
    | SessionRefreshed
    | SessionEnded
    | MessageRecorded
    | MessageRevised
    | StateRequested
    | PreferencesChanged
    | SealForced
    | ImportStarted
    | ImportFinished
    | RuleActivated
    | RecordRejected
    | Forgotten
    | Tick
)

SessionBody = SessionStarted | SessionResumed | SessionRefreshed | SessionEnded

# Bodies that concern a whole partition: they carry no tenant and no conversation.
PARTITION_WIDE: Final = (ImportStarted, ImportFinished, RuleActivated, RecordRejected, Tick)


@dataclass(frozen=True, slots=True)
class Event:
    """One record of the log.

    Ids are text; `event_id` is a canonical lower-case UUID, so that sorting texts sorts ids.
    `event_time` is when it happened, corrected for the client's clock; `occurred_at` and
    `sent_at` are the client's clock as it came, None where it said nothing.
    """

    event_id: str
    body: Body
    event_time: datetime
    received_at: datetime
    tenant_id: str = ""
    conversation_id: str = ""
    session_id: str = ""
    user_id: str = ""
    sender: str = ""
    client_id: str = ""
    client_message_id: str = ""
    connection_id: str = ""
    gateway_id: str = ""
    channel: str = ""
    occurred_at: datetime | None = None
    sent_at: datetime | None = None
    policy: Policy = Policy()
    import_id: str | None = None


class Said(NamedTuple):
    """A message without its content, and without what its sealing does not ask for.

    Its fields say what those of an Event of the same name say.
    """

    event_id: str
    event_time: datetime
    tenant_id: str
    conversation_id: str
    session_id: str
    user_id: str
    sender: str
    channel: str
    policy: Policy
    import_id: str | None
