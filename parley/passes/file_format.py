"""The fields of a pass in a file, as people write them: spans as 30s, money in US dollars."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from parley.codec.definitions import GREATEST_VERSION
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate, Target

MICRO: Final = 1_000_000
LONGEST_TIMEOUT: Final = timedelta(days=1)
_MOST_SECONDS: Final = LONGEST_TIMEOUT.total_seconds()
_NAME: Final = r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$"
_SPAN: Final = re.compile(r"(\d{1,8}(?:\.\d{1,6})?)\s*([smhd])", re.ASCII)
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def _span(value: object) -> object:
    """A bare number is seconds; 30s, 5m, 1h; or ISO 8601, which is left to pydantic."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        # Others are no timedelta; pydantic says so.
        return timedelta(seconds=value) if abs(value) <= _MOST_SECONDS else value
    match = _SPAN.fullmatch(value) if isinstance(value, str) else None
    return timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else value


Name = Annotated[str, Field(pattern=_NAME, max_length=64)]
Version = Annotated[int, Field(ge=1, le=GREATEST_VERSION)]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Text = Annotated[str, Field(min_length=1)]
Timeout = Annotated[
    timedelta, BeforeValidator(_span), Field(strict=False, gt=timedelta(0), le=LONGEST_TIMEOUT)
]


class _Written(BaseModel):
    """Exactly the fields that there are, with values of exactly their kinds."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class WrittenPrompt(_Written):
    """A version of a prompt, whole; or its name and version, where the texts stand elsewhere."""

    name: Name
    version: Version
    system: str | None = None
    user: Text | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the texts stand here."""
        return self.user is not None

    def template(self) -> PromptTemplate:
        """The prompt, which is whole."""
        return PromptTemplate(self.name, self.version, self.system or "", self.user or "")

    @model_validator(mode="after")
    def _has_both_or_neither(self) -> Self:
        if (self.system is None) != (self.user is None):
            raise ValueError("a prompt has both `system` and `user`, or neither")
        return self


class PromptDocument(_Written):
    """A document that holds a prompt for the passes that name it."""

    prompt: WrittenPrompt

    @field_validator("prompt")
    @classmethod
    def _is_whole(cls, value: WrittenPrompt) -> WrittenPrompt:
        if not value.is_whole:
            raise ValueError("a document of its own needs the prompt's `system` and `user`")
        return value


class WrittenTarget(_Written):
    """Which segments a pass is for; what is left out excludes none."""

    tenant_ids: list[Text] = []
    channels: list[str] = []
    min_messages: Count = 1


class PassDocument(_Written):
    """A version of a pass."""

    name: Name
    version: Version
    kind: Literal["code", "prompt"]
    category: Name
    description: Text
    enabled: bool = True
    output_schema: dict[str, JsonValue]
    output_schema_version: Count = 1
    parameters: dict[str, JsonValue] = {}
    prompt: WrittenPrompt | None = None
    model: str = ""
    priority: Annotated[int, Field(ge=-(2**31 - 1), le=2**31 - 1)] = 0
    target: WrittenTarget = WrittenTarget()
    sampling: Annotated[float, Field(ge=0, le=1)] = 1.0
    timeout: Timeout = timedelta(seconds=60)
    attempts: Annotated[int, Field(ge=1, le=1_000)] = 3
    daily_budget_usd: Annotated[float, Field(ge=0, le=1_000_000_000)] | None = None

    @field_validator("daily_budget_usd")
    @classmethod
    def _has_whole_millionths(cls, value: float | None) -> float | None:
        if value is not None and _micro_usd(value) % 1:
            raise ValueError("should be US dollars with at most 6 decimals")
        return value

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "prompt" and (self.prompt is None or not self.model):
            raise ValueError("a pass of the kind prompt needs `prompt` and `model`")
        if self.kind == "code" and (self.prompt is not None or self.model):
            raise ValueError("a pass of the kind code has neither `prompt` nor `model`")
        return self

    def definition(self, prompt: PromptTemplate | None) -> PassDefinition:
        """The definition, with its prompt."""
        budget, target = self.daily_budget_usd, self.target
        return PassDefinition(
            name=self.name,
            version=self.version,
            kind=PassKind(self.kind),
            category=self.category,
            description=self.description,
            output_schema=self.output_schema,
            output_schema_version=self.output_schema_version,
            parameters=self.parameters,
            prompt=prompt,
            model=self.model,
            priority=self.priority,
            target=Target(tuple(target.tenant_ids), tuple(target.channels), target.min_messages),
            sampling=self.sampling,
            timeout=self.timeout,
            attempts=self.attempts,
            daily_budget_micro_usd=None if budget is None else int(_micro_usd(budget)),
        )


def _micro_usd(value: float) -> Decimal:
    # By its shortest text: 0.1 is a tenth, and not what a float makes of it.
    return Decimal(repr(value)) * MICRO


def file_fields(definition: PassDefinition) -> dict[str, Any]:
    """The fields of a file that says the same, without those that say what is usual anyway."""
    prompt, target, plain = definition.prompt, definition.target, _PLAIN
    budget = definition.daily_budget_micro_usd
    fields: dict[str, Any] = {
        "name": definition.name,
        "version": definition.version,
        "kind": definition.kind.value,
        "category": definition.category,
        "description": definition.description,
        "model": definition.model,
        "parameters": dict(definition.parameters),
        "priority": definition.priority,
        "target": _without_usual(
            {
                "tenant_ids": list(target.tenant_ids),
                "channels": list(target.channels),
                "min_messages": target.min_messages,
            },
            {"tenant_ids": [], "channels": [], "min_messages": 1},
        ),
        "sampling": definition.sampling,
        "timeout": f"{definition.timeout.total_seconds():g}s",
        "attempts": definition.attempts,
        "daily_budget_usd": None if budget is None else budget / MICRO,
        "prompt": None
        if prompt is None
        else {
            "name": prompt.name,
            "version": prompt.version,
            "system": prompt.system,
            "user": prompt.user,
        },
        "output_schema_version": definition.output_schema_version,
        "output_schema": dict(definition.output_schema),
    }
    return _without_usual(fields, plain)


_PLAIN: Final[dict[str, Any]] = {
    "model": "",
    "parameters": {},
    "priority": 0,
    "target": {},
    "sampling": 1.0,
    "timeout": "60s",
    "attempts": 3,
    "daily_budget_usd": None,
    "prompt": None,
    "output_schema_version": 1,
}


def _without_usual(fields: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in fields.items() if name not in usual or value != usual[name]
    }
