"""The WebSocket's language: what a client may say, as values.

Those of which every message makes one are named tuples, which are made four times as fast.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from parley.events import ConversationState, MessageRecorded, Role
from parley.live import InterimTranscript, SpeechKind
from parley.position import Position


class Deliver(StrEnum):
    """Which frames of its conversation a connection wants to be sent."""

    ALL = "all"
    OTHERS = "others"
    NONE = "none"


class RawFrame(NamedTuple):
    """A frame of which it is known to whom an answer goes: its type, and its id if it has one."""

    type: str
    frame_id: str | None
    payload: Any
    traceparent: str | None = None


class Clocks(NamedTuple):
    """What the client's clock said, if anything."""

    occurred_at: datetime | None = None
    sent_at: datetime | None = None


NO_CLOCKS: Final = Clocks()


@dataclass(frozen=True, slots=True)
class Hello:
    """A client introduces itself.

    With a session id it comes back to that session, of the generation that its last `connected`
    told; with a position it wants every durable frame after it.
    """

    token: str | None
    client_id: str | None
    user_id: str
    channel: str
    metadata_json: str
    session_id: str | None
    generation: int | None
    position: Position | None
    deliver: Deliver


class Utterance(NamedTuple):
    """A final utterance, which becomes a message under the id that its client chose."""

    client_message_id: str
    body: MessageRecorded
    clocks: Clocks = NO_CLOCKS


@dataclass(frozen=True, slots=True)
class Spoken:
    """What was really spoken of a message before it was interrupted; replaces its content.

    The message is named by its event id, or by the id that the same client gave it.
    """

    client_message_id: str
    text: str
    target_id: str | None = None
    target_event_id: str | None = None
    clocks: Clocks = NO_CLOCKS


@dataclass(frozen=True, slots=True)
class Speech:
    """What a voice does."""

    kind: SpeechKind
    role: Role
    utterance_id: str = ""
    spoken: Spoken | None = None


@dataclass(frozen=True, slots=True)
class Transition:
    """The client asks for another state of the conversation."""

    client_message_id: str
    target: ConversationState
    cause: str = ""
    reopen: bool = False
    clocks: Clocks = NO_CLOCKS


@dataclass(frozen=True, slots=True)
class End:
    """The client ends its session."""

    clocks: Clocks = NO_CLOCKS


@dataclass(frozen=True, slots=True)
class Ping:
    """The client wants to know whether somebody is there."""


Frame = Hello | Utterance | InterimTranscript | Speech | Transition | End | Ping
