"""A pass, a model at a scripted provider, and what asking it came to."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from services.analyzer.model.chat import ChatModel
from services.analyzer.model.contract import Answer, ModelError, Usage
from services.analyzer.settings import AnalyzerSettings
from tests.support.provider import Provider, running_provider
from tests.unit.analyzer.samples import text, user

KEY = "sk-canary-key"
CANARY = "canary-5f1d"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"mood": {"enum": ["good", "bad"]}, "reason": {"type": "string"}},
    "required": ["mood", "reason"],
    "additionalProperties": False,
}
DEFINITION = PassDefinition(
    name="mood",
    version=1,
    kind=PassKind.PROMPT,
    category="test",
    description="a test's own",
    output_schema=SCHEMA,
    prompt=PromptTemplate("mood", 1, "You judge moods.", "What is the mood?\n{{ transcript }}"),
    model="some-model",
    timeout=timedelta(seconds=5),
)
SEGMENT = text(user(1, f"hello, {CANARY}"))
GOOD = {"mood": "good", "reason": "she laughs"}
GOOD_JSON = '{"mood":"good","reason":"she laughs"}'
PRICES = {"some-model": (2.0, 10.0)}


@dataclass
class Asking:
    """A model and its provider."""

    provider: Provider
    model: ChatModel
    before_calls: list[int] = field(default_factory=list)
    used_before: list[Usage] = field(default_factory=list)

    async def ask(self, definition: PassDefinition = DEFINITION) -> Answer:
        prompt = self.model.render(definition, SEGMENT)

        async def before_call(used: Usage) -> None:
            self.before_calls.append(self.provider.call_count)
            self.used_before.append(used)

        return await self.model.ask(definition, prompt, before_call)

    async def failure(self, definition: PassDefinition = DEFINITION, **changes: Any) -> ModelError:
        with pytest.raises(ModelError) as raised:
            await self.ask(replace(definition, **changes))
        return raised.value


@asynccontextmanager
async def asking(provider: Provider | None = None, **settings: Any) -> AsyncIterator[Asking]:
    """A model that asks a provider of its own, or the given one."""
    if provider is None:
        async with running_provider() as made, asking(made, **settings) as asks:
            yield asks
        return
    wanted = {
        "openai_api_key": SecretStr(KEY),
        "openai_base_url": provider.base_url,
        "analyzer_model_prices": PRICES,
        **settings,
    }
    model = ChatModel(AnalyzerSettings(**wanted))
    try:
        yield Asking(provider, model)
    finally:
        await model.close()


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"parley_analyzer_model_{name}", labels) or 0.0
