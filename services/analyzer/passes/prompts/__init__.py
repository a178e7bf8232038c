"""The prompt passes that Parley ships: one YAML file each, as `parley passes apply` takes them."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from parley.codec.definitions import decode_definition, definition_fields
from parley.passes.definition import PassDefinition, PassKind
from parley.passes.prompting.prompts import check_prompt


@cache
def shipped_prompts() -> tuple[PassDefinition, ...]:
    """Their definitions, by name."""
    found = sorted(one.name for one in files(__package__).iterdir() if one.name.endswith(".yaml"))
    return tuple(
        _definition(files(__package__).joinpath(name).read_text("utf-8")) for name in found
    )


def _definition(text: str) -> PassDefinition:
    written: dict[str, Any] = yaml.safe_load(text)
    # What a file leaves out is as in a definition of which nothing is said.
    plain = PassDefinition("x", 1, PassKind.PROMPT, "x", "", {})
    definition = decode_definition(json.dumps({**definition_fields(plain), **written}))
    check_prompt(definition)
    return definition
