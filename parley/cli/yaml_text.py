"""Writes plain data as YAML: blocks for structures, JSON's own spelling for what stands in them."""

import re
from collections.abc import Iterator
from typing import Any, Final

import orjson

_PLAIN_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*", re.ASCII)
# Read by some as truth values or as nothing, also where they are names.
_TAKEN: Final = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


def yaml_text(value: Any) -> str:
    """The value, which JSON could hold too, with a line break at its end.

    Texts stand in quotes as JSON writes them, which YAML reads alike: nothing in them is ever
    taken for a number, a date or a structure.
    """
    return "\n".join(_lines(orjson.loads(orjson.dumps(value, default=str)))) + "\n"


def _lines(value: Any) -> Iterator[str]:
    if not value or not isinstance(value, dict | list):
        yield _scalar(value)
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _member(_name(name), one)
    else:
        for one in value:
            first, *rest = _lines(one)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)


def _member(name: str, value: Any) -> Iterator[str]:
    lines = list(_lines(value))
    if not value or not isinstance(value, dict | list):
        yield f"{name}: {lines[0]}"
        return
    yield f"{name}:"
    yield from (f"  {line}" for line in lines)


def _scalar(value: Any) -> str:
    # JSON leaves a character as it is that YAML takes for the end of a line, or for none at all.
    text = orjson.dumps(value).decode()
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - 16 bits


def _name(text: str) -> str:
    is_plain = _PLAIN_NAME.fullmatch(text) is not None and text.lower() not in _TAKEN
    return text if is_plain else _scalar(text)
