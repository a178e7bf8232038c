"""The responder itself, without a key."""

import asyncio
from collections.abc import Awaitable

import pytest

from parley.events import Role
from services.gateway.responder.replies import Reply, Turn
from services.gateway.responder.responder import OFFLINE, Responder
from services.gateway.settings import GatewaySettings


async def test_without_a_key_the_answer_says_that_it_is_offline_and_repeats_nothing() -> None:
    responder = Responder(GatewaySettings(openai_api_key=None))
    replies: list[Awaitable[Reply]] = [
        responder.reply([Turn(Role.USER, text)]) for text in ("secret", "other")
    ]
    first, second = await asyncio.gather(*replies)
    assert first == second == OFFLINE
    assert responder.is_offline
    assert first.is_offline
    assert "offline" in first.text
    assert "secret" not in first.text
    await responder.close()


@pytest.mark.parametrize("turns", [[], [Turn(Role.USER, "a"), Turn(Role.ASSISTANT, "b")]])
async def test_there_must_be_something_to_answer(turns: list[Turn]) -> None:
    with pytest.raises(ValueError, match="nothing to answer"):
        await Responder(GatewaySettings(openai_api_key=None)).reply(turns)


def test_the_key_is_not_shown() -> None:
    settings = GatewaySettings(openai_api_key="sk-hush")  # type: ignore[arg-type]
    assert "sk-hush" not in repr(settings)
