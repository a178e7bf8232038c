"""Answers over real HTTP: what is asked, what is taken, what is repaired, and what it cost."""

import json
from dataclasses import replace
from typing import Any

import pytest

from services.analyzer.model.contract import (
    InvalidAnswer,
    ModelMisconfigured,
    ModelUnavailable,
    Usage,
)
from services.analyzer.model.outputs import MAX_RAW_CHARACTERS
from tests.support.provider import Answers, Refuses, Says
from tests.unit.analyzer.model.asking import (
    CANARY,
    DEFINITION,
    GOOD,
    GOOD_JSON,
    KEY,
    SCHEMA,
    Asking,
    asking,
    counted,
)
from tests.unit.analyzer.samples import text


async def test_a_valid_answer_is_the_output_with_model_tokens_and_cost(asks: Asking) -> None:
    asks.provider.acts(Says(json.dumps(GOOD), model="some-model-2026-01-01"))
    answer = await asks.ask()
    assert answer.output_json == GOOD_JSON
    assert answer.model == "some-model-2026-01-01"
    # 11 tokens at $2 a million and 7 at $10 are 22 + 70 millionths of a dollar.
    assert answer.usage == Usage(1, 11, 7, 92)
    assert answer.latency.total_seconds() > 0


async def test_what_is_asked_is_the_prompt_the_schema_and_the_parameters(asks: Asking) -> None:
    asks.provider.acts(Answers(GOOD))
    parameters: Any = {"temperature": 0, "seed": 7, "max_output_tokens": 300}
    definition = replace(DEFINITION, parameters={**parameters, "transcript_bytes": 5_000})
    await asks.ask(definition)
    asked = asks.provider.asked[0]
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    messages = asked.body["messages"]
    assert asked.body == {
        "model": "some-model",
        "messages": messages,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "mood", "schema": SCHEMA, "strict": True},
        },
        "temperature": 0,
        "seed": 7,
        "max_completion_tokens": 300,
    }
    assert [one["role"] for one in messages] == ["system", "user"]
    assert CANARY in messages[1]["content"]
    assert CANARY not in messages[0]["content"]


@pytest.mark.parametrize(
    ("structure", "expected"), [("json_object", {"type": "json_object"}), ("none", None)]
)
async def test_an_endpoint_that_takes_no_schema_is_told_it_in_the_prompt(
    structure: str, expected: Any
) -> None:
    told: dict[str, Any] = {
        "analyzer_model_structure": structure,
        "analyzer_model_token_limit": "max_tokens",
    }
    async with asking(**told) as asks:
        asks.provider.acts(Says(f"```json\n{GOOD_JSON}\n```"))
        answer = await asks.ask()
        body = asks.provider.asked[0].body
    assert answer.output_json == GOOD_JSON
    assert body.get("response_format") == expected
    assert body["max_tokens"] == 2_000
    assert "max_completion_tokens" not in body
    assert (
        json.dumps(SCHEMA, sort_keys=True, separators=(",", ":")) in body["messages"][0]["content"]
    )


async def test_an_endpoint_without_a_key_is_asked_without_one() -> None:
    async with asking(openai_api_key=None) as asks:
        asks.provider.acts(Answers(GOOD))
        assert (await asks.ask()).output_json == GOOD_JSON
        assert asks.provider.asked[0].headers["authorization"] == "Bearer none"


INVALID = {
    "not JSON": "certainly! the mood is good",
    "cut JSON": '{"mood": "good", "rea',
    "another shape": '{"mood": "excellent", "reason": ""}',
    "a field too many": '{"mood": "good", "reason": "", "more": 1}',
    "no number": '{"mood": "good", "reason": NaN}',
    "too great a number": '{"mood": "good", "reason": 1e999}',
    "too deep": "[" * 100_000,
    "nothing": "",
}


@pytest.mark.parametrize("invalid", INVALID.values(), ids=INVALID.keys())
async def test_an_invalid_answer_is_repaired_once_and_both_calls_are_counted(
    asks: Asking, invalid: str
) -> None:
    asks.provider.acts(Says(invalid), Answers(GOOD))
    answer = await asks.ask()
    assert answer.output_json == GOOD_JSON
    assert answer.usage == Usage(2, 22, 14, 184)
    first, second = asks.provider.asked
    assert second.turns[:2] == first.turns
    assert second.turns[2] == ("assistant", invalid[:MAX_RAW_CHARACTERS])
    assert second.turns[3][0] == "user"
    assert '{"problem": "' in second.turns[3][1]
    # Whoever counts them writes each down before it is made.
    assert asks.before_calls == [0, 1]
    assert asks.used_before == [Usage(), Usage(1, 11, 7, 92)]


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Says("no"), "not_json"),
        (Says("{}"), "not_by_schema"),
        (Says('{"mood": "go', finish_reason="length"), "cut_off"),
    ],
)
async def test_two_invalid_answers_are_a_failure_with_the_last_one_kept(
    asks: Asking, said: Says, reason: str
) -> None:
    asks.provider.acts(Says("first"), said)
    failure = await asks.failure()
    assert isinstance(failure, InvalidAnswer)
    assert (failure.reason, failure.raw) == (reason, said.text)
    assert failure.usage == Usage(2, 22, 14, 184)
    assert asks.provider.call_count == 2


async def test_what_is_kept_of_an_invalid_answer_is_bounded_and_can_be_stored(
    asks: Asking,
) -> None:
    asks.provider.otherwise = Says("\0\ud800x" * 50_000)
    failure = await asks.failure()
    assert isinstance(failure, InvalidAnswer)
    assert len(failure.raw) <= MAX_RAW_CHARACTERS
    assert "\0" not in failure.raw
    failure.raw.encode()


async def test_what_no_table_can_hold_is_taken_out_of_an_output(asks: Asking) -> None:
    asks.provider.acts(Says('{"mood": "good", "reason": "a\\u0000b\\ud800c"}'))
    answer = await asks.ask()
    assert json.loads(answer.output_json)["reason"] == "ab?c"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (Says(None, refusal="I cannot help with that"), "refused"),
        (Says(None, finish_reason="content_filter"), "filtered"),
        (Says(GOOD_JSON, finish_reason="content_filter"), "filtered"),
    ],
)
async def test_a_refusal_is_a_failure_at_once(asks: Asking, said: Says, reason: str) -> None:
    asks.provider.acts(said)
    failure = await asks.failure()
    assert isinstance(failure, InvalidAnswer)
    assert failure.reason == reason
    assert failure.raw == (said.text or said.refusal or "")
    assert failure.usage == Usage(1, 11, 7, 92)
    assert asks.provider.call_count == 1


async def test_where_a_repair_is_refused_the_first_answer_is_still_counted(asks: Asking) -> None:
    asks.provider.acts(Says("no"), Refuses(429, headers={"retry-after": "9"}))
    failure = await asks.failure()
    assert isinstance(failure, ModelUnavailable)
    assert failure.retry_after is not None
    assert failure.usage == Usage(2, 11, 7, 92)


async def test_who_stops_a_call_before_it_stops_it(asks: Asking) -> None:
    async def before_call(_: Usage) -> None:
        raise LookupError("the budget is spent")

    prompt = asks.model.render(DEFINITION, text())
    with pytest.raises(LookupError):
        await asks.model.ask(DEFINITION, prompt, before_call)
    assert asks.provider.call_count == 0


async def test_an_endpoint_that_counts_no_tokens_is_taken_to_have_used_the_most(
    asks: Asking,
) -> None:
    asks.provider.acts(Says(GOOD_JSON, has_usage=False))
    answer = await asks.ask()
    asked = sum(len(said.encode()) for _, said in asks.provider.asked[0].turns)
    assert answer.usage.input_tokens > asked
    assert answer.usage.output_tokens == len(GOOD_JSON)
    assert answer.usage.cost_micro_usd > asked * 2


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": {"stream": True}},
        {"parameters": {"max_output_tokens": 0}},
        {"output_schema": {"type": "no such type"}},
        {"output_schema": {"$ref": "https://example.com/schema.json"}},
        {"model": ""},
    ],
)
async def test_a_definition_that_cannot_be_asked_is_known_before_it_is_asked(
    asks: Asking, changes: Any
) -> None:
    prompt = asks.model.render(DEFINITION, text())
    with pytest.raises(ModelMisconfigured):
        await asks.model.ask(replace(DEFINITION, **changes), prompt, _nothing)
    assert asks.provider.call_count == 0


async def _nothing(_: Usage) -> None:
    return


async def test_calls_tokens_costs_and_invalid_answers_are_counted(asks: Asking) -> None:
    def now() -> list[float]:
        return [
            counted("calls_total", outcome="answered"),
            counted("tokens_total", direction="input"),
            counted("tokens_total", direction="output"),
            counted("invalid_answers_total", reason="not_json"),
            counted("seconds_count"),
        ]

    before, dollars = now(), counted("cost_dollars_total")
    asks.provider.acts(Says("no"), Answers(GOOD))
    await asks.ask()
    assert [after - one for after, one in zip(now(), before, strict=True)] == [2, 22, 14, 1, 2]
    assert counted("cost_dollars_total") - dollars == pytest.approx(184e-6)
