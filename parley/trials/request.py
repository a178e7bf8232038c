"""What is to be tried: a pass over a segment, and how far."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class TrialRequest:
    """A pass and a segment of a tenant; None is the version in force, and the latest revision."""

    pass_name: str
    segment_id: str
    tenant_id: str
    pass_version: int | None = None
    revision: int | None = None
    is_prompt_only: bool = False
    """Nothing is run and no model is called."""

    def to_json(self) -> dict[str, Any]:
        """As another process is told it."""
        return asdict(self)

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Back from what another process told."""
        return cls(**told)
