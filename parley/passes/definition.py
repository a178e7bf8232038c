"""What a pass is, whoever runs it: the definition that an operator applies through the log."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from hashlib import sha256

JsonValue = None | bool | int | float | str | list["JsonValue"] | dict[str, "JsonValue"]


class PassKind(StrEnum):
    """What kind of work a pass does."""

    CODE = "code"
    PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """A versioned prompt: two Jinja2 templates, which a sandbox renders."""

    name: str
    version: int
    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Target:
    """Which segments a pass is for; empty tuples are everybody and every channel."""

    tenant_ids: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    min_messages: int = 1

    def takes(self, tenant_id: str, channel: str, message_count: int) -> bool:
        """Whether a segment of this tenant, channel and size is for the pass."""
        return (
            (not self.tenant_ids or tenant_id in self.tenant_ids)
            and (not self.channels or channel in self.channels)
            and message_count >= self.min_messages
        )


@dataclass(frozen=True, slots=True)
class PassDefinition:
    """One version of a pass.

    `parameters` are the model's settings (temperature and the like) of a prompt, and of code all
    settings that can change its result, other software's versions included. Money is in
    millionths of a US dollar; a budget of None is none.
    """

    name: str
    version: int
    kind: PassKind
    category: str
    description: str
    output_schema: Mapping[str, JsonValue]
    output_schema_version: int = 1
    parameters: Mapping[str, JsonValue] = field(default_factory=dict)
    prompt: PromptTemplate | None = None
    model: str = ""
    priority: int = 0
    """Of jobs that wait in one lane those of the greatest priority are run first."""
    target: Target = Target()
    sampling: float = 1.0
    """Share of the segments that it is run over, from 0 to 1, by a hash of the segment's id."""
    timeout: timedelta = timedelta(seconds=60)
    attempts: int = 3
    """Failures, of the segment's or the answer's making, after which a job has failed."""
    daily_budget_micro_usd: int | None = None
    """What the pass may spend for one tenant on one UTC day."""

    @property
    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of everything that can change the pass's result.

        Which segments it is run over, when, how often and for how much is not part of it.
        """
        identity = {
            "name": self.name,
            "version": self.version,
            "kind": self.kind.value,
            "output_schema": self.output_schema,
            "output_schema_version": self.output_schema_version,
            "parameters": self.parameters,
            "prompt": None if self.prompt is None else [self.prompt.system, self.prompt.user],
            "model": self.model,
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(text.encode()).hexdigest()

    def samples(self, segment_id: str) -> bool:
        """Whether the sample holds the segment: the same in every replay and for every revision."""
        place = int.from_bytes(sha256(f"{self.name}:{segment_id}".encode()).digest()[:8])
        return place < self.sampling * 2**64
