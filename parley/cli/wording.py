"""How counts and JSON are written for people."""

import textwrap
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import orjson


def counted(count: int, noun: str) -> str:
    """The count with its noun: 1 segment, 2 segments, 1,000 segments."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def lasting(span: timedelta) -> str:
    """How long, in its two greatest units: 40s, 12m 05s, 1h 30m, 3d 04h; not below zero."""
    seconds = max(0, round(span.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3_600, seconds // 86_400
    if days:
        return f"{days:,}d {hours % 24:02}h"
    if hours:
        return f"{hours}h {minutes % 60:02}m"
    return f"{minutes}m {seconds % 60:02}s" if minutes else f"{seconds}s"


def readable_json(value: Any, width: int) -> str:
    """JSON in which whatever fits into `width` columns stays on one line; texts are not cut."""
    flat = _flat(value)
    if len(flat) <= width or not value or not isinstance(value, Mapping | list):
        return flat
    if isinstance(value, list):
        return "[\n" + textwrap.indent(_items(value, width - 2), "  ") + "\n]"
    # A comma may follow.
    members = (
        f"{_flat(name)}: {readable_json(one, width - len(_flat(name)) - 5)}"
        for name, one in value.items()
    )
    return "{\n" + textwrap.indent(",\n".join(members), "  ") + "\n}"


def _items(values: list[Any], width: int) -> str:
    if all(one is None or isinstance(one, int | float) for one in values):
        return textwrap.fill(", ".join(_flat(one) for one in values), max(width, 1))
    return ",\n".join(readable_json(one, width - 1) for one in values)


def _flat(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_flat(name)}: {_flat(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_flat(one) for one in value) + "]"
    return orjson.dumps(value).decode()
