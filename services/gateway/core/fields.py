"""Reads a JSON object field by field; what is wrong is named, never shown."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from typing import Any, TypeVar

import orjson

from services.gateway.core.refusals import Code, Refused

Choice = TypeVar("Choice", bound=StrEnum)


def text_of(values: Mapping[str, Any], name: str, default: str = "") -> str:
    """A string among these values; null is as good as missing."""
    value = values.get(name)
    if value is None:
        return default
    if not isinstance(value, str):
        raise _wrong(name, "must be a string")
    # No table can hold it.
    if "\0" in value:
        raise _wrong(name, "must not hold a NUL character")
    return value


class Fields:
    """The fields of a payload; null is as good as missing, and unknown ones are let be."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, name: str, default: str = "") -> str:
        """A string."""
        return text_of(self._values, name, default)

    def optional_text(self, name: str) -> str | None:
        """A string, or None."""
        return (self.text(name) or None) if name in self._values else None

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self._values.get(name)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise _wrong(name, "must be true or false")
        return value

    def whole_number(self, name: str) -> int | None:
        """An integer from 1 up to what a table's bigint holds, with one to spare."""
        value = self._values.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value < 2**62:
            raise _wrong(name, "must be an integer from 1")
        return value

    def choice(self, name: str, kind: type[Choice], default: Choice) -> Choice:
        """One of an enumeration's values."""
        if self._values.get(name) is None:
            return default
        return self.required_choice(name, kind)

    def required_choice(self, name: str, kind: type[Choice]) -> Choice:
        """One of an enumeration's values, which must be there."""
        chosen: Choice | None = _members(kind).get(self.text(name))
        if chosen is None:
            raise _wrong(name, f"must be one of {', '.join(kind)}")
        return chosen

    def moment(self, name: str) -> datetime | None:
        """An ISO 8601 time with its offset from UTC."""
        if name not in self._values:
            return None
        text = self.text(name)
        return parse_moment(name, text) if text else None

    def json_object(self, name: str) -> str:
        """A JSON object as text; empty for none."""
        value = self._values.get(name)
        if value is None:
            return ""
        if not isinstance(value, dict):
            raise _wrong(name, "must be an object")
        return write_json_object(name, value)


def parse_moment(name: str, text: str) -> datetime:
    """An ISO 8601 time as UTC; raises Refused, also for one without an offset."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _wrong(name, "must be an ISO 8601 time such as 2026-01-31T12:00:00Z") from error
    raise _wrong(name, "needs an offset from UTC, such as the Z of 2026-01-31T12:00:00Z")


def write_json_object(name: str, value: Mapping[str, Any]) -> str:
    """An object as JSON text, empty for an empty one; raises Refused for what JSON cannot hold."""
    try:
        return orjson.dumps(value).decode() if value else ""
    except orjson.JSONEncodeError as error:
        raise _wrong(name, "must be plain JSON, at most 250 levels deep") from error


# To look a value up in its enumeration takes five times as long.
@cache
def _members(kind: type[Choice]) -> dict[str, Choice]:
    return {one.value: one for one in kind}


def _wrong(name: str, what: str) -> Refused:
    return Refused(Code.INVALID_FRAME, f"{name} {what}")
