"""The prompt passes that Parley ships: one YAML file each, as `parley passes apply` takes them."""

from functools import cache
from importlib.resources import files

from parley.passes.definition import PassDefinition
from parley.passes.parsing import parse_passes


@cache
def shipped_prompts() -> tuple[PassDefinition, ...]:
    """Their definitions, by name."""
    found = [one for one in files(__package__).iterdir() if one.name.endswith(".yaml")]
    texts = {one.name: one.read_text("utf-8") for one in sorted(found, key=lambda one: one.name)}
    return tuple(one.definition for one in parse_passes(texts))
