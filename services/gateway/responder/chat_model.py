"""One request to an OpenAI-compatible chat endpoint, and what may become of it."""

import logging
from collections.abc import Sequence
from typing import Final

from openai import AsyncOpenAI
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import (
    AgentRunError,
    ContentFilterError,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.settings import ModelSettings

from parley.events import Role
from services.gateway.responder.replies import Reply, ResponderFailed, Turn, Usage

# A record has 1 MB, and a reader less patience.
MAX_REPLY_CHARS: Final = 100_000

# Request timeout, and a conflict: refusals of this attempt alone.
_PASSING: Final = (408, 409)

# The first that fits: a class stands before those that it is a special case of.
_REASONS: Final[tuple[tuple[type[Exception], str, bool], ...]] = (
    (ModelQuotaExceededError, "quota_exceeded", False),
    (ModelRateLimitError, "rate_limited", True),
    (ModelUnavailableError, "unavailable", True),
    (ModelServerError, "unavailable", True),
    (ModelTimeoutError, "timeout", True),
    (ModelConnectionError, "unreachable", True),
    (ModelAuthenticationError, "key_refused", False),
    (ModelNotFoundError, "model_unknown", False),
    (ModelContextWindowExceededError, "conversation_too_long", False),
    (ModelHTTPError, "request_refused", False),
    (ModelRequestRejectedError, "request_refused", False),
    (ContentFilterError, "filtered", False),
    (AgentRunError, "unreadable_answer", True),
)


class ChatModel:
    """A model behind an endpoint. It tries once: when to try again is decided elsewhere."""

    def __init__(self, name: str, base_url: str, api_key: str, max_tokens: int) -> None:
        # With OPENAI_LOG=debug in the environment these would write down what was said.
        for library in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        self._client = AsyncOpenAI(base_url=base_url, api_key=api_key, max_retries=0)
        provider = OpenAIProvider(openai_client=self._client)
        self._model = OpenAIChatModel(name, provider=provider)
        self._settings = ModelSettings(max_tokens=max_tokens)

    async def ask(self, instructions: str, turns: Sequence[Turn]) -> Reply:
        """The model's answer to the last turn, which is the user's; raises ResponderFailed."""
        try:
            response = await model_request(
                self._model, _messages(instructions, turns), model_settings=self._settings
            )
        except AgentRunError as error:
            # Not `from error`, which quotes the provider, which quotes the conversation.
            raise _failure(error) from None
        return _reply(response, self._model.model_name)

    async def close(self) -> None:
        """Close the connections to the provider."""
        await self._client.close()


def _messages(instructions: str, turns: Sequence[Turn]) -> list[ModelMessage]:
    messages: list[ModelMessage] = [ModelRequest([SystemPromptPart(instructions)])]
    for turn in turns:
        if turn.role is Role.ASSISTANT:
            messages.append(ModelResponse([TextPart(turn.text)]))
        else:
            messages.append(ModelRequest([UserPromptPart(turn.text)]))
    return messages


def _failure(error: AgentRunError) -> ResponderFailed:
    _, reason, is_retryable = next(one for one in _REASONS if isinstance(error, one[0]))
    if isinstance(error, ModelHTTPError) and error.status_code in _PASSING:
        reason, is_retryable = "unavailable", True
    retry_after_s = error.retry_after if isinstance(error, ModelAPIError) else None
    return ResponderFailed(reason, is_retryable, retry_after_s)


def _reply(response: ModelResponse, asked_model: str) -> Reply:
    text = _storable(response.text or "")
    if not text:
        raise ResponderFailed("empty_answer", is_retryable=True)
    if len(text) > MAX_REPLY_CHARS:
        raise ResponderFailed("answer_too_long", is_retryable=False)
    usage = Usage(response.usage.input_tokens, response.usage.output_tokens)
    return Reply(text, response.model_name or asked_model, usage=usage)


def _storable(text: str) -> str:
    """Without what the log and its tables cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode().strip()
