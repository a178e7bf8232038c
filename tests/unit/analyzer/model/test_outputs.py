"""Schemas that endpoints can be strict about, and outputs that are what a schema says."""

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.model.outputs import InvalidSchema, OutputCheck, UnfitOutput, is_strict
from tests.support.provider import Sends, running_provider
from tests.unit.analyzer.model.asking import SCHEMA

CLOSED: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": ["string", "null"]}},
    "required": ["a"],
    "additionalProperties": False,
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**CLOSED, **changes}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (CLOSED, True),
        (SCHEMA, True),
        (changed(additionalProperties=True), False),
        (changed(required=[]), False),
        (changed(minProperties=1), False),
        (changed(properties={"a": {"type": "string", "maxLength": 9}}), False),
        (changed(properties={"a": {"type": "array", "items": CLOSED}}), True),
        (changed(properties={"a": {"type": "array", "items": {"type": "object"}}}), False),
        (changed(properties={"a": {"anyOf": [CLOSED, {"type": "null"}]}}), True),
        (changed(properties={"a": {"anyOf": [{"type": "object"}]}}), False),
        (changed(properties={"a": True}), False),
        ({"type": ["object", "null"]}, False),
    ],
)
def test_strict_is_what_is_closed_whole_and_of_words_that_endpoints_know(
    schema: dict[str, Any], expected: bool
) -> None:
    assert is_strict(schema) is expected


@pytest.mark.parametrize(
    "schema", [{"type": "no such"}, {"$ref": "https://example.com/x"}, {"properties": 7}]
)
def test_a_schema_that_is_none_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchema):
        OutputCheck(schema)


async def test_a_schema_is_never_fetched() -> None:
    async with running_provider() as provider:
        provider.otherwise = Sends(b'{"type": "object"}')
        with pytest.raises(InvalidSchema):
            await asyncio.to_thread(OutputCheck, {"$ref": f"{provider.base_url}/schema.json"})
        assert provider.call_count == 0


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "9" * 5_000])
def test_a_number_that_no_table_holds_is_no_output(number: str) -> None:
    with pytest.raises(UnfitOutput):
        OutputCheck({}).output_json(f"[{number}]")


@pytest.mark.parametrize("answer", ["[1]", '"text"', "7", "null"])
def test_what_is_no_object_is_no_output_whatever_the_schema_says(answer: str) -> None:
    with pytest.raises(UnfitOutput, match="not_json"):
        OutputCheck({}).output_json(answer)


def test_what_is_wrong_is_told_with_its_place() -> None:
    with pytest.raises(UnfitOutput) as unfit:
        OutputCheck(SCHEMA).output_json('{"mood": "awful", "reason": "x"}')
    assert unfit.value.problem.startswith("at /mood: ")
    assert str(unfit.value) == "not_by_schema"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=9,
)


@given(value=JSON)
def test_any_output_that_is_taken_can_be_stored_and_read_back(value: Any) -> None:
    try:
        output = OutputCheck({}).output_json(json.dumps(value))
    except UnfitOutput:
        assert "Infinity" in json.dumps(value) or not isinstance(value, dict)
        return
    assert isinstance(value, dict)
    output.encode()
    assert "\\u0000" not in output.replace("\\\\", "")
    assert OutputCheck({}).output_json(output) == output


@given(answer=st.text(max_size=200))
def test_any_answer_is_an_output_or_unfit(answer: str) -> None:
    try:
        json.loads(OutputCheck({"type": "object"}).output_json(answer))
    except UnfitOutput as unfit:
        assert len(unfit.problem) <= 500
