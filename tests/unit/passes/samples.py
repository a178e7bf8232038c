"""Passes, activations and subscriptions for tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from parley.config import ConfigBody, ConfigChange
from parley.passes.applied import (
    ActiveVersion,
    AppliedPass,
    PassActivation,
    SealsPosition,
    Subscription,
)
from parley.passes.catalog import Catalog
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate, Target

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

CODE = PassDefinition(
    name="turns",
    version=1,
    kind=PassKind.CODE,
    category="statistics",
    description="Counts turns.",
    output_schema={"type": "object"},
)
PROMPT = PassDefinition(
    name="summary",
    version=2,
    kind=PassKind.PROMPT,
    category="insight",
    description="What it was about — 你好",
    output_schema={"type": "object", "properties": {"text": {"type": "string"}}},
    output_schema_version=3,
    parameters={"temperature": 0.0, "stop": ["a", None, True], "seed": 2**40},
    prompt=PromptTemplate("summarise", 4, "Sum up.", "{{ transcript }}"),
    model="small",
    priority=-5,
    target=Target(("acme", "beta"), ("phone",), 3),
    sampling=0.25,
    timeout=timedelta(seconds=12.5),
    attempts=7,
    daily_budget_micro_usd=1_500_000,
)


def applied(definition: PassDefinition = CODE, **changed: Any) -> AppliedPass:
    return AppliedPass.of(replace(definition, **changed))


def change(body: ConfigBody, tenant_id: str = "") -> ConfigChange:
    return ConfigChange(tenant_id, "ops", NOON, body)


def active(*versions: tuple[int, int | None], name: str = "turns") -> PassActivation:
    """Versions in force from an offset of partition 0 on; None is not known yet."""
    return PassActivation(
        name,
        True,
        tuple(
            ActiveVersion(version, NOON, None if at is None else SealsPosition("one", (at, 0)))
            for version, at in versions
        ),
    )


def wanted(target: str, *, category: bool = False, on: bool = True) -> Subscription:
    return Subscription(target, category, on)


def catalog(*changes: ConfigChange) -> Catalog:
    made = Catalog()
    for one in changes:
        made.apply(one)
    return made
