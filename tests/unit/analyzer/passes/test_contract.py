"""Every shipped pass: valid JSON for any text, the same each time, and known by its fingerprint."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.digests import SpokenMember
from parley.passes.code import CodePass, to_json
from parley.passes.schemas import InvalidOutput, OutputSchema
from services.analyzer.passes import SHIPPED
from tests.unit.analyzer.samples import MESSAGES, text

# Another fingerprint under the same version is another result under the same name: where this
# fails, raise the pass's version.
FINGERPRINTS = {
    ("turn_statistics", 1): "265733d0741b1de622fd2b2e32891c1e5c7962f3e54e30fce7810308e95c1ddc",
    ("sentiment", 1): "a4aa6449678126bd92ea3e7f16dfbddc6b0368ac8b9b9386e738909aa1b56f8d",
    ("language", 1): "faabd67fdbfa3ab01fd6bed6a6af1fde3d9abf37c312e4036e6432a4b9145741",
    ("key_phrases", 1): "57a105ef7f4c39e361abb93f0c4027150645b58a041f42aca98e80326b7d76b8",
    ("personal_data", 1): "beec948ec259590faeaa9f78e685ef98db60c271055c61bc06fae10d7258425a",
}


def test_a_version_keeps_its_fingerprint() -> None:
    definitions = [one.definition for one in SHIPPED]
    known = {(one.name, one.version): one.fingerprint for one in definitions}
    assert known == FINGERPRINTS


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": 2},
        {"output_schema_version": 2},
        {"parameters": {"vader": "0"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_can_change_the_result_changes_the_fingerprint(change: dict[str, Any]) -> None:
    one = SHIPPED[1].definition
    assert replace(one, **change).fingerprint != one.fingerprint


def test_words_about_a_pass_do_not_change_its_fingerprint() -> None:
    one = SHIPPED[0].definition
    assert replace(one, description="else", priority=9).fingerprint == one.fingerprint


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.definition.name)
@given(messages=MESSAGES)
def test_any_messages_give_what_the_schema_says_and_the_same_each_time(
    one: CodePass, messages: list[SpokenMember]
) -> None:
    output = to_json(one.run(text(*messages)))
    OutputSchema(one.definition.output_schema).check(output)
    assert not {"NaN", "Infinity", "-0.0"} & set(re.split(r"[\[\],:{}]", output))
    assert to_json(one.run(text(*messages))) == output


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.definition.name)
@given(messages=MESSAGES)
def test_the_shape_is_the_same_for_any_messages(
    one: CodePass, messages: list[SpokenMember]
) -> None:
    assert _keys(one.run(text(*messages))) == _keys(one.run(text()))


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.definition.name)
def test_a_field_more_or_less_is_not_what_the_schema_says(one: CodePass) -> None:
    schema, output = OutputSchema(one.definition.output_schema), one.run(text())
    for key in output:
        with pytest.raises(InvalidOutput):
            schema.check(to_json({name: value for name, value in output.items() if name != key}))
        with pytest.raises(InvalidOutput):
            schema.check(to_json({**output, key: {"of another": "kind"}}))
    with pytest.raises(InvalidOutput):
        schema.check(to_json({**output, "another": 1}))


def test_equal_outputs_are_equal_texts_whatever_the_order_of_their_keys() -> None:
    assert to_json({"b": 1, "a": {"d": "ä", "c": None}}) == '{"a":{"c":null,"d":"ä"},"b":1}'


@given(st.sampled_from([float("nan"), float("inf"), float("-inf")]))
def test_a_number_that_json_cannot_hold_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": [number]})


def _keys(value: Any, path: str = "") -> set[str]:
    if not isinstance(value, dict):
        return {path}
    return {key for name, one in value.items() for key in _keys(one, f"{path}.{name}")}
