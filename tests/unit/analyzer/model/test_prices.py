"""What calls cost: an operator's prices, those of public models, and a bound before each call."""

import socket
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.analyzer.model.chat import ChatModel
from services.analyzer.model.contract import RenderedPrompt
from services.analyzer.model.prices import Prices, Tokens
from services.analyzer.model.requests import most_tokens
from services.analyzer.settings import AnalyzerSettings
from tests.support.provider import Says
from tests.unit.analyzer.model.asking import DEFINITION, SEGMENT, asking
from tests.unit.analyzer.samples import text, user

OPENAI = "https://api.openai.com/v1"
A_MILLION = Tokens(1_000_000, 1_000_000)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "asyncio" not in request.keywords:

        def refuse(*_: Any) -> None:
            raise AssertionError("a price was fetched from the network")

        monkeypatch.setattr(socket.socket, "connect", refuse)


def test_prices_of_public_models_are_known_without_a_network() -> None:
    assert Prices({}, OPENAI).micro_usd("gpt-4o-mini", A_MILLION) == 750_000
    assert Prices({}, OPENAI).micro_usd("gpt-4o-mini-2024-07-18", A_MILLION) == 750_000


def test_behind_an_endpoint_that_nobody_knows_a_model_costs_what_its_maker_takes() -> None:
    assert Prices({}, "http://gateway.internal/v1").micro_usd("gpt-4o-mini", A_MILLION) == 750_000


def test_cached_tokens_are_cheaper() -> None:
    half = Tokens(1_000_000, 0, cached=500_000)
    assert Prices({}, OPENAI).micro_usd("gpt-4o-mini", half) == 112_500


def test_an_operators_prices_come_first() -> None:
    prices = Prices({"gpt-4o-mini": (0.0, 0.0), "mine": (0.5, 2.5)}, OPENAI)
    assert prices.micro_usd("gpt-4o-mini", A_MILLION) == 0
    assert prices.micro_usd("mine", A_MILLION) == 3_000_000
    assert prices.knows("gpt-4o-mini")


def test_a_model_without_a_price_costs_nothing_and_is_known_to_have_none() -> None:
    prices = Prices({}, OPENAI)
    assert prices.micro_usd("no-such-model", A_MILLION) == 0
    assert not prices.knows("no-such-model")


def test_a_part_of_a_millionth_is_a_whole_one() -> None:
    assert Prices({"mine": (0.1, 0.1)}, OPENAI).micro_usd("mine", Tokens(1, 0)) == 1


SAID = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=2_000)


@settings(deadline=None)
@given(said=SAID)
def test_no_prompt_has_more_tokens_than_were_reserved_for_it(said: str) -> None:
    model = ChatModel(AnalyzerSettings(analyzer_model_prices={"some-model": (1.0, 1.0)}))
    prompt = model.render(DEFINITION, text(user(1, said)))
    bound = most_tokens(DEFINITION, prompt)
    empty = model.render(DEFINITION, text(user(1, "")))
    assert bound.input - most_tokens(DEFINITION, empty).input == _bytes(prompt) - _bytes(empty)
    # A tokenizer that knows no two bytes that belong together has the most tokens of all.
    assert bound.input > _bytes(prompt)
    assert bound.output == 2_000
    assert model.estimate_micro_usd(DEFINITION, prompt) == bound.input + bound.output


def _bytes(prompt: RenderedPrompt) -> int:
    return len(prompt.system.encode()) + len(prompt.user.encode())


async def test_a_call_with_a_repair_of_the_longest_answer_keeps_within_its_estimate() -> None:
    async with asking() as asks:
        prompt = asks.model.render(DEFINITION, SEGMENT)
        asks.provider.acts(Says("x" * 2_000), Says("y" * 2_000))
        await asks.failure()
        asked = sum(len(said.encode()) for _, said in asks.provider.asked[1].turns)
        assert most_tokens(DEFINITION, prompt).input > asked
