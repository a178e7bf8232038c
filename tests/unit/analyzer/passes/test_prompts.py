"""The shipped prompt passes: each can be asked for, strictly, and stays as it was published."""

import json
from typing import Any

import pytest

from parley.codec.definitions import decode_definition, encode_definition
from parley.config import ConfigBody, ConfigChange
from parley.passes.applied import ActiveVersion, AppliedPass, PassActivation, Subscription
from parley.passes.catalog import Catalog, NotDue, SegmentFacts
from parley.passes.definition import PassDefinition, PassKind
from services.analyzer.model.outputs import OutputCheck, UnfitOutput, is_strict
from services.analyzer.passes.prompts import shipped_prompts
from tests.support.fitting import fitting
from tests.support.provider import Answers
from tests.unit.analyzer.model.asking import asking
from tests.unit.analyzer.samples import NOON, assistant, text, user

PROMPTS = shipped_prompts()
BY_NAME = {one.name: one for one in PROMPTS}
each = pytest.mark.parametrize("definition", PROMPTS, ids=BY_NAME)

# A version has exactly one fingerprint: whoever changes a file gives it another version.
FINGERPRINTS = {
    ("outcome", 1): "b03c23540dd683af4f2cc0648602ab736afc4537286f48ea3bfb6fd33943aedc",
    ("quality", 1): "22126cfc96ffdef088d0d0daf5a90645a0beb8efcb7406b2b6cec1506238ee48",
    ("summary", 1): "4708982ea0a09312e3e2f99543897efe7bb0e76c363c0fbd7f439258e0dbb455",
    ("topics", 1): "5d705a705ea453dc5396a317bd8381666bf4af8a92fde402ab5938092ec31bac",
}


def test_there_are_four_and_their_fingerprints_are_the_published_ones() -> None:
    assert {(one.name, one.version): one.fingerprint for one in PROMPTS} == FINGERPRINTS


@each
def test_it_is_a_prompt_that_the_log_holds_as_it_is(definition: PassDefinition) -> None:
    assert definition.kind is PassKind.PROMPT
    assert decode_definition(encode_definition(definition)) == definition
    assert definition.model
    assert definition.daily_budget_micro_usd


@each
def test_endpoints_can_hold_a_model_to_its_schema(definition: PassDefinition) -> None:
    assert is_strict(definition.output_schema)
    OutputCheck(definition.output_schema).output_json(json.dumps(fitting(definition.output_schema)))


@each
async def test_it_is_asked_and_answered_over_http(definition: PassDefinition) -> None:
    async with asking() as asks:
        asks.provider.acts(Answers())
        answer = await asks.ask(definition)
        asked = asks.provider.asked[0]
    assert asked.body["response_format"]["json_schema"]["strict"] is True
    assert asked.body["temperature"] == 0
    assert answer.usage.call_count == 1
    OutputCheck(definition.output_schema).output_json(answer.output_json)


@each
async def test_its_prompt_has_no_open_ends(definition: PassDefinition) -> None:
    async with asking() as asks:
        prompt = asks.model.render(definition, text(user(1, "hello"), assistant(2, "hello")))
    for said in (prompt.system, prompt.user):
        assert "{{" not in said
        assert "{%" not in said
        assert "None" not in said
    assert "of 2 messages" in prompt.user
    for field in definition.output_schema["properties"]:  # type: ignore[union-attr]
        assert f'"{field}"' in prompt.user


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("summary", {"language": None}),
    ("topics", {"topics": [{"label": "x"}]}),
    ("topics", {"topics": [fitting(BY_NAME["topics"].output_schema)] * 9}),
    ("outcome", {"outcome": "great"}),
    ("quality", {"advice": 7}),
    ("quality", {"more": 1}),
]


@pytest.mark.parametrize(("name", "change"), WRONG)
def test_an_output_of_another_shape_is_no_output(name: str, change: dict[str, Any]) -> None:
    schema = BY_NAME[name].output_schema
    output = {**fitting(schema), **change}
    with pytest.raises(UnfitOutput):
        OutputCheck(schema).output_json(json.dumps(output))


@each
def test_it_is_run_for_tenants_that_ask_for_it_only(definition: PassDefinition) -> None:
    catalog = Catalog()

    def say(body: ConfigBody, tenant_id: str = "") -> None:
        catalog.apply(ConfigChange(tenant_id, "tests", NOON, body))

    say(AppliedPass.of(definition))
    say(PassActivation(definition.name, True, (ActiveVersion(definition.version, NOON),)))
    say(Subscription(definition.category, is_category=True, is_enabled=True), "eager")
    eager, others = (
        catalog.due(SegmentFacts(tenant, "chat", 10, "s")) for tenant in ("eager", "other")
    )
    assert [one.name for one in eager.passes] == [definition.name]
    assert not others.passes
    assert [why for _, why in others.others] == [NotDue.NOT_SUBSCRIBED]
