"""What the gateway says, frame by frame, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Message:
    """A final utterance, durable; `role` is user, assistant, system or tool."""

    event_id: str
    position: str
    role: str
    text: str
    # The id that its sender gave it.
    id: str = ""
    client_id: str = ""
    user_id: str = ""
    session_id: str = ""
    audio_url: str | None = None
    language: str = ""
    utterance_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The conversation went from one state to another, for everybody."""

    event_id: str
    position: str
    state: str
    previous_state: str = ""
    cause: str = ""
    client_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A message was cut short; `text` is what was really spoken of it."""

    event_id: str
    position: str
    target_event_id: str
    text: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Corrected:
    """A message's transcript was replaced by a better one."""

    event_id: str
    position: str
    target_event_id: str
    text: str
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Interim:
    """What somebody is saying right now; a higher `sequence` replaces a lower one."""

    text: str
    role: str = ""
    utterance_id: str = ""
    sequence: int = 0
    language: str = ""
    client_id: str = ""
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Speech:
    """Somebody began or stopped to speak or to be heard; live only."""

    kind: str
    role: str = ""
    utterance_id: str = ""
    client_id: str = ""


@dataclass(frozen=True, slots=True)
class Presence:
    """How many connections the conversation has now."""

    open_connections: int


@dataclass(frozen=True, slots=True)
class Connected:
    """The gateway took the hello; `snapshot` is None where it could not be read."""

    session_id: str
    generation: int
    client_id: str = ""
    position: str = ""
    open_connections: int = 0
    snapshot: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Resumed:
    """Whether everything since the last position follows; if not, frames come after `position`."""

    recovered: bool
    reason: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Frames are missing here, and why: read the history to have them."""

    reason: str


@dataclass(frozen=True, slots=True)
class Draining:
    """The gateway is about to close; come back after so many milliseconds."""

    retry_after_ms: int = 0


@dataclass(frozen=True, slots=True)
class Ack:
    """A frame is durable: under this event id, at this position."""

    id: str
    event_id: str = ""
    position: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """The gateway did not take something; `id` names the frame, if it had one."""

    code: str
    message: str = ""
    retryable: bool = False
    id: str | None = None
    retry_after_ms: int | None = None
    # Of a refused transition: where the conversation is, and where it may go.
    state: str | None = None
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unknown:
    """A frame of a newer gateway, or nothing that makes sense."""

    type: str = ""


Durable = Message | StateChanged | Interrupted | Corrected
Heard = Durable | Interim | Speech | Presence | Resumed | Gap | Problem
Frame = Heard | Connected | Draining | Ack | Unknown
