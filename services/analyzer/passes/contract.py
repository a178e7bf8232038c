"""What a pass is, what it is given, and how its result becomes text."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from parley.digests import SpokenMember

Output = dict[str, object]


@dataclass(frozen=True, slots=True)
class SegmentText:
    """What was said in a segment: its messages in the order of (event time, event id)."""

    segment_id: str
    messages: tuple[SpokenMember, ...]


@dataclass(frozen=True, slots=True)
class Pass:
    """A named, versioned analysis of one segment.

    `run` gives the same output for the same text, for ever: another result is another version.
    `parameters` are all settings that can change it, other software's versions included.
    """

    name: str
    version: int
    category: str
    description: str
    output_schema_version: int
    parameters: Mapping[str, str | int | float]
    run: Callable[[SegmentText], Output]

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of everything that can change the pass's result."""
        identity = {
            "name": self.name,
            "version": self.version,
            "output_schema_version": self.output_schema_version,
            "parameters": dict(self.parameters),
        }
        return sha256(to_json(identity).encode()).hexdigest()


def to_json(output: Mapping[str, object]) -> str:
    """Equal outputs are equal texts; raises ValueError for a number that JSON cannot hold."""
    return json.dumps(
        output, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
