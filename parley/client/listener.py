"""What a line is told, and whom it tells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from parley.client.frames import Ack, Connected, Frame, Problem
from parley.client.sending import Outgoing

Token = str | Callable[[], str] | None


@dataclass(frozen=True, slots=True)
class Greeting:
    """How a client introduces itself on every connection."""

    client_id: str
    user_id: str = ""
    channel: str = ""
    metadata: Mapping[str, Any] | None = None
    deliver: str = "all"


@dataclass(slots=True)
class Place:
    """Where to go on after a reconnect: the session, and the last frame that was seen."""

    session_id: str = ""
    generation: int = 0
    position: str = ""


class Listener(Protocol):
    """What wants to know how a line fares; all are called from the line's event loop."""

    def connected(self, status: Connected) -> None:
        """The gateway took the hello, for the first time or again."""

    def lost(self) -> None:
        """The connection is gone; what was in flight will be sent again."""

    def sent(self, frame: Outgoing, is_again: bool) -> None:
        """A frame is on its way."""

    def acknowledged(self, frame: Outgoing, ack: Ack) -> None:
        """A frame is durable."""

    def refused(self, frame: Outgoing, problem: Problem) -> None:
        """A frame is not taken, and never will be."""

    def troubled(self, problem: Problem) -> None:
        """Something went wrong that may pass; it is tried again."""

    def heard(self, frame: Frame) -> None:
        """Something else was said."""
