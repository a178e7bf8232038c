"""Definitions of passes to JSON text and back."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NoReturn

from parley.codec.record import InvalidRecord
from parley.codec.validity import check_json_object, check_name
from parley.passes.definition import JsonValue, PassDefinition, PassKind, PromptTemplate, Target

GREATEST_VERSION: Final = 2**63 - 1
_GREATEST_INT: Final = 2**31 - 1
# A pass that took longer would be of no use to anybody, and a timedelta holds it.
_LONGEST_TIMEOUT_S: Final = 86_400.0


def definition_fields(definition: PassDefinition) -> dict[str, JsonValue]:
    """All fields, as JSON has them: spans in seconds, money in millionths of a US dollar."""
    prompt, target = definition.prompt, definition.target
    return {
        "name": definition.name,
        "version": definition.version,
        "kind": definition.kind.value,
        "category": definition.category,
        "description": definition.description,
        "output_schema": dict(definition.output_schema),
        "output_schema_version": definition.output_schema_version,
        "parameters": dict(definition.parameters),
        "prompt": None
        if prompt is None
        else {
            "name": prompt.name,
            "version": prompt.version,
            "system": prompt.system,
            "user": prompt.user,
        },
        "model": definition.model,
        "priority": definition.priority,
        "target": {
            "tenant_ids": list(target.tenant_ids),
            "channels": list(target.channels),
            "min_messages": target.min_messages,
        },
        "sampling": definition.sampling,
        "timeout_seconds": definition.timeout.total_seconds(),
        "attempts": definition.attempts,
        "daily_budget_micro_usd": definition.daily_budget_micro_usd,
    }


def encode_definition(definition: PassDefinition) -> str:
    """The definition as JSON text; raises ValueError for what no JSON holds."""
    text = json.dumps(
        definition_fields(definition), ensure_ascii=False, allow_nan=False, separators=(",", ":")
    )
    # Half of a surrogate pair is no character.
    text.encode()
    return text


def is_same(one: PassDefinition, other: PassDefinition) -> bool:
    """Whether all that they say is the same, whatever the order of it."""
    texts = (json.dumps(definition_fields(each), sort_keys=True) for each in (one, other))
    return len(set(texts)) == 1


def decode_definition(text: str) -> PassDefinition:
    """The definition; raises InvalidRecord. Fields of a later release are passed over."""
    check_json_object(text)
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidRecord("definition", "the definition is no JSON that can be read") from error
    if not isinstance(found, dict):
        raise InvalidRecord("definition", "there is no definition")
    return _definition(found)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _definition(found: Mapping[str, Any]) -> PassDefinition:
    kind, target = _of(found, "kind", str), _of(found, "target", dict)
    if kind not in tuple(PassKind):
        raise InvalidRecord("definition", "its kind is unknown")
    return PassDefinition(
        name=_name(found, "name"),
        version=_int(found, "version", 1, GREATEST_VERSION),
        kind=PassKind(kind),
        category=_name(found, "category"),
        description=_of(found, "description", str),
        output_schema=_of(found, "output_schema", dict),
        output_schema_version=_int(found, "output_schema_version", 0, _GREATEST_INT),
        parameters=_of(found, "parameters", dict),
        prompt=_prompt(found.get("prompt")),
        model=_of(found, "model", str),
        priority=_int(found, "priority", -_GREATEST_INT, _GREATEST_INT),
        target=Target(
            _texts(target, "tenant_ids"),
            _texts(target, "channels"),
            _int(target, "min_messages", 0, _GREATEST_INT),
        ),
        sampling=_number(found, "sampling", 1.0),
        timeout=timedelta(seconds=_number(found, "timeout_seconds", _LONGEST_TIMEOUT_S)),
        attempts=_int(found, "attempts", 1, _GREATEST_INT),
        daily_budget_micro_usd=_budget(found),
    )


def _prompt(found: object) -> PromptTemplate | None:
    if found is None:
        return None
    if not isinstance(found, dict):
        raise InvalidRecord("definition", "its prompt is no object")
    return PromptTemplate(
        _name(found, "name"),
        _int(found, "version", 1, GREATEST_VERSION),
        _of(found, "system", str),
        _of(found, "user", str),
    )


def _budget(found: Mapping[str, Any]) -> int | None:
    if found.get("daily_budget_micro_usd") is None:
        return None
    return _int(found, "daily_budget_micro_usd", 0, GREATEST_VERSION)


def _of(found: Mapping[str, Any], field: str, kind: type) -> Any:
    value = found.get(field)
    if not isinstance(value, kind):
        raise InvalidRecord("definition", f"its {field} is missing, or of another kind")
    return value


def _name(found: Mapping[str, Any], field: str) -> str:
    text: str = _of(found, field, str)
    check_name(field, text)
    return text


def _int(found: Mapping[str, Any], field: str, least: int, greatest: int) -> int:
    value: int = _of(found, field, int)
    # A truth value is an int, for Python.
    if isinstance(value, bool) or not least <= value <= greatest:
        raise InvalidRecord("definition", f"its {field} is not between {least} and {greatest}")
    return value


def _number(found: Mapping[str, Any], field: str, greatest: float) -> float:
    value = found.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= greatest:
        raise InvalidRecord("definition", f"its {field} is not between 0 and {greatest:g}")
    return float(value)


def _texts(found: Mapping[str, Any], field: str) -> tuple[str, ...]:
    values: list[Any] = _of(found, field, list)
    if not all(isinstance(one, str) for one in values):
        raise InvalidRecord("definition", f"its {field} are no texts")
    return tuple(values)
