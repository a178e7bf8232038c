"""What a scripted provider of a language model can do with a request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Says:
    """A good answer, after a while."""

    text: str | None
    finish_reason: str = "stop"
    after_s: float = 0.0
    input_tokens: int = 11
    output_tokens: int = 7
    model: str = ""
    """As which the answer comes; empty for the one that was asked for."""
    refusal: str | None = None
    has_usage: bool = True


@dataclass(frozen=True)
class Answers:
    """A structured output, after a while: the given one, or one that fits the asked schema."""

    output: Any = None
    after_s: float = 0.0
    input_tokens: int = 11
    output_tokens: int = 7


@dataclass(frozen=True)
class Refuses:
    """An error of the protocol, such as 429 with `retry-after`."""

    status: int
    code: str = "some_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    message: str = "no"


@dataclass(frozen=True)
class Sends:
    """Any body whatsoever."""

    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclass(frozen=True)
class Stalls:
    """Takes the request and says nothing."""


@dataclass(frozen=True)
class BreaksOff:
    """Closes the connection in the middle of its answer."""


@dataclass(frozen=True)
class Resets:
    """Resets the connection instead of an answer."""


@dataclass(frozen=True)
class Drips:
    """Sends an answer byte by byte, so that no read of it ever times out."""

    text: str
    every_s: float = 0.05


@dataclass(frozen=True)
class Floods:
    """Sends a body of so many bytes, as fast as it is taken."""

    size_bytes: int
    status: int = 200


Act = Says | Answers | Refuses | Sends | Stalls | BreaksOff | Resets | Drips | Floods
