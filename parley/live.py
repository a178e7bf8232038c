"""What is worth seeing now and not worth keeping: the live frames of a conversation."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from parley.events import Role


class SpeechKind(StrEnum):
    """What a voice does."""

    SPEECH_STARTED = "speech_started"
    SPEECH_ENDED = "speech_ended"
    INTERRUPTED = "interrupted"
    PLAYBACK_STARTED = "playback_started"
    PLAYBACK_ENDED = "playback_ended"


@dataclass(frozen=True, slots=True)
class InterimTranscript:
    """What an utterance sounds like so far; a later sequence replaces an earlier one."""

    utterance_id: str
    sequence: int
    role: Role
    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class SpeechEvent:
    """A change of a voice."""

    kind: SpeechKind
    role: Role
    utterance_id: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """How many connections one gateway holds open for the conversation."""

    open_connections: int


LiveBody = InterimTranscript | SpeechEvent | Presence


@dataclass(frozen=True, slots=True)
class LiveFrame:
    """One record of parley.live.v1, with who caused it."""

    tenant_id: str
    conversation_id: str
    gateway_id: str
    received_at: datetime
    body: LiveBody
    session_id: str = ""
    user_id: str = ""
    sender: str = ""
    client_id: str = ""
    connection_id: str = ""
