"""Gets an answer from the model in time, or says in one word why there is none."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import structlog

from parley import clock
from parley.events import Role
from services.gateway import metrics
from services.gateway.responder.replies import PLAIN, Manner, Reply, ResponderFailed, Turn
from services.gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from services.gateway.responder.chat_model import ChatModel

log = structlog.get_logger(__name__)

RETRIES: Final = 2
# Doubles with each retry, where the provider does not say how long.
FIRST_REST_S: Final = 0.5
MANNER_CHARS: Final = 200

# The same for everybody: it says what it is, and repeats nothing.
OFFLINE: Final = Reply(
    "This is an offline reply: no language model is connected here, so nobody has read your "
    "message. It has been kept.",
    model="offline",
    is_offline=True,
)


class Responder:
    """Answers with a model where OPENAI_API_KEY is set, and offline where it is not."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._instructions = settings.gateway_responder_system_prompt
        self._timeout_s = settings.gateway_responder_timeout.total_seconds()
        self._max_concurrent = settings.gateway_responder_max_concurrent
        self._model = _chat_model(settings)
        self._under_way = 0

    @property
    def is_offline(self) -> bool:
        """Whether there is no model."""
        return self._model is None

    async def reply(self, turns: Sequence[Turn], manner: Manner = PLAIN) -> Reply:
        """An answer to the last turn, which must be the user's.

        Raises ResponderFailed, at the latest after the settings' timeout, and at once where too
        many answers are under way.
        """
        if not turns or turns[-1].role is not Role.USER:
            raise ValueError("there is nothing to answer: the last turn must be the user's")
        if self._model is None:
            metrics.REPLIES.labels("offline").inc()
            return OFFLINE
        try:
            reply = await self._within_limits(self._model, turns, self._told(manner))
        except ResponderFailed as failed:
            metrics.REPLIES.labels(failed.reason).inc()
            raise
        metrics.REPLIES.labels("ok").inc()
        metrics.REPLY_TOKENS.labels("input").inc(reply.usage.input_tokens)
        metrics.REPLY_TOKENS.labels("output").inc(reply.usage.output_tokens)
        return reply

    async def close(self) -> None:
        """Close the connections to the provider, if there is one."""
        if self._model is not None:
            await self._model.close()

    async def _within_limits(
        self, model: "ChatModel", turns: Sequence[Turn], instructions: str
    ) -> Reply:
        if self._under_way >= self._max_concurrent:
            raise ResponderFailed("overloaded", is_retryable=True)
        self._under_way += 1
        deadline_s = clock.monotonic() + self._timeout_s
        try:
            with metrics.REPLY_SECONDS.time():
                async with asyncio.timeout(self._timeout_s):
                    return await _persist(model, turns, instructions, deadline_s)
        except TimeoutError:
            raise ResponderFailed("timeout", is_retryable=True) from None
        finally:
            self._under_way -= 1

    def _told(self, manner: Manner) -> str:
        told = [self._instructions]
        if manner.personality:
            told.append(f"Your personality: {manner.personality[:MANNER_CHARS]}")
        if manner.language:
            told.append(f"Answer in this language: {manner.language[:MANNER_CHARS]}")
        return "\n".join(told)


async def _persist(
    model: "ChatModel", turns: Sequence[Turn], instructions: str, deadline_s: float
) -> Reply:
    """Ask, and ask again where that may help and the time allows it."""
    rest_s = FIRST_REST_S
    for _ in range(RETRIES):
        try:
            return await model.ask(instructions, turns)
        except ResponderFailed as failed:
            wait_s = rest_s if failed.retry_after_s is None else failed.retry_after_s
            # A rest that ends after the time does is not worth its wait.
            if not failed.is_retryable or clock.monotonic() + wait_s >= deadline_s:
                raise
            log.info("responder_tries_again", reason=failed.reason)
        metrics.REPLY_RETRIES.inc()
        await asyncio.sleep(wait_s)
        rest_s *= 2
    return await model.ask(instructions, turns)


def _chat_model(settings: GatewaySettings) -> "ChatModel | None":
    if settings.openai_api_key is None:
        return None
    # The libraries behind it take half a second to load, which nobody without a key need wait.
    from services.gateway.responder.chat_model import ChatModel  # noqa: PLC0415

    return ChatModel(
        settings.gateway_responder_model,
        settings.openai_base_url,
        settings.openai_api_key.get_secret_value(),
        settings.gateway_responder_max_tokens,
    )
