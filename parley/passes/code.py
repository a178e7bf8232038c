"""Passes that are code: what one is given, what it returns, and how its result becomes text.

A Python package of your own gives Parley a pass by an entry point of the group `parley.passes`
that names a `CodePass`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from parley.digests import SpokenMember
from parley.passes.definition import PassDefinition

Output = dict[str, object]


@dataclass(frozen=True, slots=True)
class SegmentText:
    """What was said in a segment: its messages in the order of (event time, event id)."""

    segment_id: str
    messages: tuple[SpokenMember, ...]


@dataclass(frozen=True, slots=True)
class CodePass:
    """A definition of the kind `code`, and the function that it stands for.

    `run` gives the same output for the same text, for ever: another result is another version.
    """

    definition: PassDefinition
    run: Callable[[SegmentText], Output]


def to_json(output: Mapping[str, object]) -> str:
    """Equal outputs are equal texts; raises ValueError for a number that JSON cannot hold."""
    return json.dumps(
        output, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
