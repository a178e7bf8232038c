"""What prompts of the past would cost: by the model's own reckoning, and never without a prompt."""

from dataclasses import replace

import pytest

from parley.errors import UserError
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from services.analyzer.backfilling.estimating import estimate
from services.analyzer.model.chat import ChatModel
from services.analyzer.settings import AnalyzerSettings
from tests.integration.analyzer.stage import talk

SUMMARY = PassDefinition(
    "summary",
    1,
    PassKind.PROMPT,
    "summary",
    "…",
    {"type": "object"},
    prompt=PromptTemplate("summary", 1, "Sum it up.", "{{ transcript }}"),
    model="a-model",
    parameters={"max_output_tokens": 100},
)


@pytest.fixture
def model() -> ChatModel:
    return ChatModel(AnalyzerSettings(analyzer_model_prices={"a-model": (1.0, 2.0)}))


def test_each_segment_costs_what_its_text_does(model: ChatModel) -> None:
    one = estimate(model, SUMMARY, [talk("a", 4)])
    two = estimate(model, SUMMARY, [talk("a", 4), talk("b", 4)])
    longer = estimate(model, SUMMARY, [talk("a", 40)])
    assert one["is_priced"]
    assert 0 < one["tokens"] < longer["tokens"]
    assert two["micro_usd"] > one["micro_usd"] > 100 * 2, "the answer's tokens are in it"
    assert longer["micro_usd"] > one["micro_usd"]


def test_a_model_without_a_price_says_so(model: ChatModel) -> None:
    found = estimate(model, replace(SUMMARY, model="nobody's"), [talk("a")])
    assert (found["is_priced"], found["micro_usd"]) == (False, 0)
    assert found["tokens"] > 0


def test_a_prompt_that_cannot_be_used_is_told(model: ChatModel) -> None:
    with pytest.raises(UserError, match="cannot be used"):
        estimate(model, replace(SUMMARY, prompt=None), [talk("a")])
