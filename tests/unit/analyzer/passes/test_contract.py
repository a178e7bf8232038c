"""Every shipped pass: valid JSON for any text, the same each time, and known by its fingerprint."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.digests import SpokenMember
from parley.passes.code import CodePass, to_json
from services.analyzer.passes import SHIPPED
from tests.unit.analyzer.samples import MESSAGES, text

# Another fingerprint under the same version is another result under the same name: where this
# fails, raise the pass's version.
FINGERPRINTS = {
    ("turn_statistics", 1): "8f4a147b830991799392a7fd44788e659976fff7ac9f0df7f68348f1e1f0bd9a",
    ("sentiment", 1): "f721391713c44c4c76c188ce2ea7acbf2c6c82de007231610b11fae8b258b561",
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
def test_any_messages_give_a_json_object_that_is_the_same_each_time(
    one: CodePass, messages: list[SpokenMember]
) -> None:
    output = to_json(one.run(text(*messages)))
    assert isinstance(json.loads(output), dict)
    assert not {"NaN", "Infinity", "-0.0"} & set(re.split(r"[\[\],:{}]", output))
    assert to_json(one.run(text(*messages))) == output


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.definition.name)
@given(messages=MESSAGES)
def test_the_shape_is_the_same_for_any_messages(
    one: CodePass, messages: list[SpokenMember]
) -> None:
    assert _keys(one.run(text(*messages))) == _keys(one.run(text()))


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
