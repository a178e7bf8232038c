"""Prompts: the operator's words in one message, what was said in the other, as data."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from parley.passes.definition import JsonValue, PassDefinition, PassKind, PromptTemplate
from parley.passes.prompting.parameters import InvalidParameters, InvalidPrompt
from parley.passes.prompting.prompts import PromptText, check_prompt, prompt_text
from parley.passes.prompting.transcripts import transcript_of
from tests.unit.analyzer.samples import MESSAGES, text, user

DEFINITION = PassDefinition(
    name="mood",
    version=1,
    kind=PassKind.PROMPT,
    category="test",
    description="a test's own",
    output_schema={"type": "object", "required": ["mood"]},
    prompt=PromptTemplate(
        "mood", 1, "You judge moods.", "Of {{ message_count }} messages:\n{{ transcript }}"
    ),
    model="some-model",
)


def prompted(*messages: Any, **parameters: JsonValue) -> PromptText:
    definition = replace(DEFINITION, parameters=parameters)
    return prompt_text(definition, text(*messages), tells_schema=False)


def test_the_operators_words_come_first_then_the_rule_of_data() -> None:
    prompt = prompted(user(1, "hello"))
    boundary = transcript_of(text(user(1, "hello"))).boundary
    assert prompt.system.startswith("You judge moods.\n\nThe transcript in the user's message is")
    assert prompt.system.count(boundary) == 2
    assert prompt.user.startswith(f"Of 1 messages:\n===== transcript {boundary} =====\n")
    assert prompt.user.endswith(f"===== end of transcript {boundary} =====")


@given(messages=MESSAGES)
def test_nothing_that_was_said_stands_in_the_system_prompt(messages: Any) -> None:
    empty = prompted().system
    boundary = transcript_of(text(*messages)).boundary
    assert prompted(*messages).system == empty.replace(transcript_of(text()).boundary, boundary)


@given(messages=MESSAGES)
def test_the_same_segment_makes_the_same_prompt(messages: Any) -> None:
    assert prompted(*messages) == prompted(*messages)


def test_the_schema_is_told_where_the_endpoint_is_not_given_it() -> None:
    told = prompt_text(DEFINITION, text(), tells_schema=True)
    assert '{"required":["mood"],"type":"object"}' in told.system
    assert '"required"' not in prompted().system


def test_that_something_is_left_out_is_said_and_only_then() -> None:
    long = [user(number, "word " * 50) for number in range(100)]
    assert "too long to be shown whole" in prompted(*long, transcript_bytes=5_000).system
    assert "too long to be shown whole" not in prompted(*long).system
    assert "too long to be shown whole" in prompted(user(1, "x" * 200_000)).system


@pytest.mark.parametrize("wrong", [0, -1, 4_000_001, 5e3, "5000", True, None])
@pytest.mark.parametrize("name", ["transcript_bytes", "max_output_tokens"])
def test_a_bound_that_is_none_is_refused(name: str, wrong: JsonValue) -> None:
    with pytest.raises(InvalidParameters, match=name):
        check_prompt(replace(DEFINITION, parameters={name: wrong}))


@pytest.mark.parametrize("name", ["model", "messages", "stream", "tools", "max_tokens"])
def test_a_parameter_that_would_make_another_request_is_refused(name: str) -> None:
    with pytest.raises(InvalidParameters, match=name):
        check_prompt(replace(DEFINITION, parameters={name: 1}))


def test_parameters_of_the_endpoint_are_its_own_business() -> None:
    check_prompt(replace(DEFINITION, parameters={"temperature": 0, "some_new_one": {"a": [1]}}))


def test_a_definition_without_a_prompt_is_refused() -> None:
    with pytest.raises(InvalidPrompt, match="no prompt"):
        check_prompt(replace(DEFINITION, prompt=None))
