"""Makes a value that fits a JSON Schema, of the kinds that passes ask models for."""

from collections.abc import Mapping
from typing import Any


def fitting(schema: Mapping[str, Any]) -> Any:
    """The smallest value that fits; an empty object for a schema that says nothing."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return fitting(schema[choice][0])
    kind = schema.get("type", "object")
    return _of_kind(kind[0] if isinstance(kind, list) else kind, schema)


def _of_kind(kind: str, schema: Mapping[str, Any]) -> Any:
    match kind:
        case "object":
            return _object(schema)
        case "array":
            return [fitting(schema.get("items", {})) for _ in range(schema.get("minItems", 0))]
        case "string":
            return "text".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", None)]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return False
    return None


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: fitting(properties.get(name, {})) for name in schema.get("required", ())}
