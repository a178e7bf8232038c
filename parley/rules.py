"""The versions of the sealing rule that this release knows, by number."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# What counts before any was activated.
FIRST_RULE: Final = 1

RULES: Final[Mapping[int, str]] = MappingProxyType(
    {FIRST_RULE: "windows of event time by gap, grace, ends, commands and caps, with revisions"}
)
