"""Decides whether an answer is what a pass's schema asks for, and what is wrong with it."""

import json
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

import jsonschema_rs

from parley.codec import InvalidRecord
from parley.codec.validity import check_json_object
from parley.passes.code import to_json

MAX_PROBLEM_CHARACTERS: Final = 500
MAX_RAW_CHARACTERS: Final = 20_000

_FENCED: Final = re.compile(r"\A```(?:json)?\s*\n(.*)\n\s*```\Z", re.DOTALL)
# What a strict structured output may say, by OpenAI's guide to them.
_STRICT_KEYWORDS: Final = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "description", "title", "minimum", "maximum", "minItems", "maxItems"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "pattern"),
    }
)


class InvalidSchema(ValueError):
    """The pass's output schema is no JSON Schema that can be used without a network."""


class UnfitOutput(ValueError):
    """An answer that is no output; `problem` is for the model: it may quote the conversation."""

    def __init__(self, reason: str, problem: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.problem = problem[:MAX_PROBLEM_CHARACTERS]


class OutputCheck:
    """Checks answers by one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        """Raises InvalidSchema."""
        try:
            self._validator = _validator(json.dumps(schema, sort_keys=True))
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise InvalidSchema(str(error)) from error

    def output_json(self, answer: str) -> str:
        """The output as the log and its tables hold it; raises UnfitOutput."""
        try:
            output = json.loads(_bare(answer), parse_constant=_refuse, parse_float=_finite)
        except (ValueError, RecursionError) as error:
            raise UnfitOutput("not_json", f"not JSON: {error}") from error
        output = _storable(output)
        problem = next(self._validator.iter_errors(output), None)
        if problem is not None:
            place = "/".join(map(str, problem.instance_path))
            raise UnfitOutput("not_by_schema", f"at /{place}: {problem.message}")
        output_json = to_json(output)
        try:
            check_json_object(output_json)
        except InvalidRecord as error:
            # The log holds objects, and no numbers or characters that its tables cannot.
            raise UnfitOutput("not_json", f"no JSON object that can be stored: {error}") from error
        return output_json


def is_strict(schema: object) -> bool:
    """Whether an endpoint can hold a model to every word of the schema.

    For that all objects have to be closed and all their fields required, and there is no word in
    it that strict endpoints refuse. Others are told the schema as a wish.
    """
    if not isinstance(schema, Mapping):
        return False
    parts = [*schema.get("anyOf", ())]
    if "items" in schema:
        parts.append(schema["items"])
    properties = schema.get("properties", {})
    return (
        set(schema) <= _STRICT_KEYWORDS
        and (not _is_of_objects(schema) or _is_closed(schema, properties))
        and all(map(is_strict, [*parts, *properties.values()]))
    )


def storable(text: str) -> str:
    """Without what the log and its tables cannot hold: NUL, and halves of surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


@lru_cache(maxsize=256)
def _validator(schema: str) -> Any:
    # Never from the network: what a schema refers to is in it.
    return jsonschema_rs.validator_for(schema, offline=True)


def _is_of_objects(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type", ())
    return kind == "object" or "object" in kind


def _is_closed(schema: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    is_whole = set(schema.get("required", ())) == set(properties)
    return schema.get("additionalProperties") is False and is_whole


def _bare(answer: str) -> str:
    """Without the fence that some models put around JSON."""
    fenced = _FENCED.match(answer.strip())
    return fenced[1] if fenced else answer


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text[:20])


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, list):
        return [_storable(one) for one in value]
    if isinstance(value, dict):
        return {storable(name): _storable(one) for name, one in value.items()}
    return value
