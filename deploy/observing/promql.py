"""Finds the names of series in a query, well enough to check that somebody exports them."""

import re
from typing import Final

_RECORDED: Final = re.compile(r"\bparley:[a-z0-9_]+:[a-z0-9_]+\b")
_EXPORTED: Final = re.compile(r"\bparley_[a-z0-9_]+\b")
_QUOTED: Final = re.compile(r'"[^"]*"')


def recorded_in(query: str) -> set[str]:
    """The names of recorded series."""
    return set(_RECORDED.findall(query))


def exported_in(query: str) -> set[str]:
    """The names of series of Parley's own that a service exports."""
    return set(_EXPORTED.findall(_QUOTED.sub("", query)))
