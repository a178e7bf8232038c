"""Every shipped pass: valid JSON for any text, the same each time, and known by its fingerprint."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.digests import SpokenMember
from services.analyzer.passes import SHIPPED, Pass, to_json
from tests.unit.analyzer.samples import MESSAGES, text

# Another fingerprint under the same version is another result under the same name: where this
# fails, raise the pass's version.
FINGERPRINTS = {
    ("turn_statistics", 1): "a847a1f6e3dac13e7f39c6bc87efe8398640a1c29722c36ba5a8b832daf44ba0",
    ("sentiment", 1): "72ae92cd188dd16adc5a8615785f8f257e9b781284c7193999a77257677accbe",
}


def test_a_version_keeps_its_fingerprint() -> None:
    assert {(one.name, one.version): one.fingerprint() for one in SHIPPED} == FINGERPRINTS


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
    one = SHIPPED[1]
    assert replace(one, **change).fingerprint() != one.fingerprint()


def test_words_about_a_pass_do_not_change_its_fingerprint() -> None:
    one = SHIPPED[0]
    assert replace(one, description="else").fingerprint() == one.fingerprint()


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
@given(messages=MESSAGES)
def test_any_messages_give_a_json_object_that_is_the_same_each_time(
    one: Pass, messages: list[SpokenMember]
) -> None:
    output = to_json(one.run(text(*messages)))
    assert isinstance(json.loads(output), dict)
    assert not {"NaN", "Infinity", "-0.0"} & set(re.split(r"[\[\],:{}]", output))
    assert to_json(one.run(text(*messages))) == output


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.name)
@given(messages=MESSAGES)
def test_the_shape_is_the_same_for_any_messages(one: Pass, messages: list[SpokenMember]) -> None:
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
