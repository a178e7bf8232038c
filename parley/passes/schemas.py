"""Output schemas: whether one is JSON Schema, and whether an output is as it says."""

from collections.abc import Mapping
from typing import Any

import jsonschema_rs
import orjson

from parley.passes.definition import JsonValue


class InvalidSchema(ValueError):
    """No JSON Schema, or one that would have to be fetched from somewhere."""


class InvalidOutput(ValueError):
    """An output is no JSON, or not as its pass's schema says.

    It names the place in the schema and not the value: that may quote the conversation.
    """

    reason = "invalid_output"


class OutputSchema:
    """A JSON Schema (2020-12 unless it names another draft), ready to check outputs."""

    def __init__(self, schema: Mapping[str, JsonValue]) -> None:
        """Raises InvalidSchema."""
        whole: dict[str, Any] = dict(schema)
        try:
            self._validator = jsonschema_rs.validator_for(whole, offline=True)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise InvalidSchema(f"not a valid JSON Schema: {error}") from error

    def check(self, output_json: str) -> None:
        """Raises InvalidOutput if the text is not valid by the schema."""
        error = next(self._validator.iter_errors(orjson.loads(output_json)), None)
        if error is not None:
            place = "/".join(map(str, error.schema_path))
            raise InvalidOutput(f"not as its schema says at {place}")
