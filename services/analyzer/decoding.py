"""Decodes records of the analyses topic, once for both of this process's consumers of it."""

from functools import lru_cache
from typing import Final

from parley.analyses import Analysis
from parley.codec import decode_analysis

# Both read the same records within moments; whoever is far behind decodes for itself.
MOST_KEPT: Final = 2_048
# Outputs may be long: those few are decoded twice.
MOST_BYTES: Final = 4_096


def decode(value: bytes | None) -> Analysis:
    """What the record says; raises InvalidRecord."""
    return decode_analysis(value) if value is None or len(value) > MOST_BYTES else _short(value)


@lru_cache(maxsize=MOST_KEPT)
def _short(value: bytes) -> Analysis:
    return decode_analysis(value)
