"""What two definitions of a pass differ in, field by field, as a file has them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from parley.passes.definition import PassDefinition
from parley.passes.file_format import file_fields


@dataclass(frozen=True, slots=True)
class Difference:
    """A field by its path, such as prompt.user, with both values as texts; None is left out."""

    field: str
    before: str | None
    after: str | None


def differences(before: PassDefinition, after: PassDefinition) -> list[Difference]:
    """The fields that differ, in the order of a file; those of objects by themselves."""
    old, new = (dict(_leaves("", file_fields(one))) for one in (before, after))
    return [
        Difference(field, old.get(field), new.get(field))
        for field in dict.fromkeys((*new, *old))
        if old.get(field) != new.get(field)
    ]


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name, one in value.items():
            yield from _leaves(f"{path}.{name}" if path else str(name), one)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield path, text
