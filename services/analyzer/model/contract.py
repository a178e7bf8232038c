"""What the engine asks of a model, and every way in which asking can end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """Exactly what the model is sent, and sha256 over it."""

    system: str
    user: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Usage:
    """What one or more calls took: tokens, and millionths of a US dollar."""

    call_count: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """An output that is valid by the pass's schema, as JSON text, and what it cost."""

    output_json: str
    model: str
    usage: Usage
    latency: timedelta


class ModelError(Exception):
    """Asking failed; `reason` is one word of the log's and the tables' vocabulary.

    `usage` is what was used up all the same, such as by a first answer that was to be repaired.
    """

    def __init__(self, reason: str, usage: Usage = Usage()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.usage = usage


class NoProvider(ModelError):
    """No endpoint is set: jobs park until one is."""


class ModelUnavailable(ModelError):
    """429, 5xx, a timeout, no connection: the same call may succeed later."""

    def __init__(
        self, reason: str, retry_after: timedelta | None = None, usage: Usage = Usage()
    ) -> None:
        super().__init__(reason, usage)
        self.retry_after = retry_after


class ModelMisconfigured(ModelError):
    """A bad key, an unknown model, refused parameters: no job of the pass can succeed."""


class InvalidAnswer(ModelError):
    """Not JSON or not by the schema, after one attempt to have it repaired."""

    def __init__(self, reason: str, usage: Usage, raw: str) -> None:
        super().__init__(reason, usage)
        self.raw = raw


class PromptTooLarge(ModelError):
    """The segment does not fit into the model's context: no other attempt can succeed."""


BeforeCall = Callable[[Usage], Awaitable[None]]


class Model(Protocol):
    """One endpoint with its models."""

    def render(self, definition: PassDefinition, text: SegmentText) -> RenderedPrompt:
        """The prompt for a segment: what was said is delimited in it, as data.

        Raises ModelMisconfigured where the definition has no prompt that can be used.
        """
        ...

    def estimate_micro_usd(self, definition: PassDefinition, prompt: RenderedPrompt) -> int:
        """What a call may cost at most, in millionths of a US dollar; reserved before it."""
        ...

    async def ask(
        self,
        definition: PassDefinition,
        prompt: RenderedPrompt,
        before_call: BeforeCall,
    ) -> Answer:
        """Call the model, once more if its output is invalid; raises ModelError.

        `before_call` is awaited before each of the calls, with what those before it took: what
        it writes is written although the process dies within the call.
        """
        ...
