"""Builds the JSON Schemas of the shipped passes: every field is required, and there is no other."""

from typing import Final

from parley.passes.definition import JsonValue

Schema = dict[str, JsonValue]

COUNT: Final[Schema] = {"type": "integer", "minimum": 0}
FLAG: Final[Schema] = {"type": "boolean"}
SECONDS: Final[Schema] = {"type": "number", "minimum": 0}
SHARE: Final[Schema] = {"type": "number", "minimum": 0, "maximum": 1}


def fields(**properties: Schema) -> Schema:
    """An object with exactly these fields."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [*sorted(properties)],
        "additionalProperties": False,
    }


def items(of: Schema, **bounds: int) -> Schema:
    """A list; `bounds` are `minItems` and `maxItems`."""
    return {"type": "array", "items": of, **bounds}


def nullable(of: Schema) -> Schema:
    """As `of`, which has one type and is no choice of words, or null."""
    return {**of, "type": [of["type"], "null"]}


def one_of(*words: str | None) -> Schema:
    """One of these words; None among them is null."""
    return {"enum": [*words]}
