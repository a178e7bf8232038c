"""What is said to a model and what comes back, as values."""

from dataclasses import dataclass
from typing import Final

from parley.events import Role


@dataclass(frozen=True, slots=True)
class Turn:
    """Something that the user or the assistant said."""

    role: Role
    text: str


@dataclass(frozen=True, slots=True)
class Manner:
    """How the answer should sound; empty is as the model likes."""

    personality: str = ""
    language: str = ""


PLAIN: Final = Manner()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, as the provider counted them."""

    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, and who gave it; an offline one is the same for everybody."""

    text: str
    model: str
    is_offline: bool = False
    usage: Usage = Usage()


class ResponderFailed(Exception):
    """There is no answer. `reason` is one word for a metric, and quotes nothing that was said.

    `retry_after_s` is how long the provider wants to be left alone, where it said so.
    """

    def __init__(self, reason: str, is_retryable: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_retryable = is_retryable
        self.retry_after_s = retry_after_s
