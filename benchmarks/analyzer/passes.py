"""The passes that are measured, and what a provider is sent for one of them."""

from dataclasses import replace
from typing import Any, Final

from benchmarks.analyzer.provider import MODEL
from benchmarks.analyzer.segments import talk_of
from parley.passes.applied import Subscription
from parley.passes.code import SegmentText
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from parley.passes.planning import Wanted
from parley.passes.publishing import apply_passes, publish
from parley.settings import Settings
from services.analyzer.model.chat import ChatModel
from services.analyzer.model.requests import body_of, first_messages
from services.analyzer.passes.turn_statistics import TURN_STATISTICS
from services.analyzer.settings import AnalyzerSettings
from tests.integration.analyzer.stage import TENANT

WHO: Final = "benchmark"
# At one time, by the analyzer and by its peers: what is written down for many is written together.
CALLS: Final = 64
CODE: Final = TURN_STATISTICS.definition
PROMPT: Final = PassDefinition(
    name="benchmark_summary",
    version=1,
    kind=PassKind.PROMPT,
    category="benchmark",
    description="asks a provider that answers at once",
    output_schema={
        "type": "object",
        "properties": {"summary": {"type": "string"}},
        "required": ["summary"],
        "additionalProperties": False,
    },
    prompt=PromptTemplate(
        "benchmark_summary", 1, "Sum up in one sentence what was said.", "{{ transcript }}"
    ),
    model=MODEL,
)
# US dollars per million tokens, so that money is reserved and settled.
PRICES: Final = f'{{"{MODEL}": [0.15, 0.6]}}'


def waiting(number: int) -> PassDefinition:
    """One of several prompts whose jobs nobody is to run."""
    return replace(PROMPT, name=f"benchmark_waiting_{number}")


async def put_in_force(settings: Settings, *definitions: PassDefinition) -> None:
    """Apply them, and let the tenant have them."""
    await apply_passes(settings, [Wanted(one) for one in definitions], WHO)
    subscribed = [Subscription(one.name, is_category=False, is_enabled=True) for one in definitions]
    await publish(settings, subscribed, WHO, TENANT)


def asks(base_url: str) -> dict[str, str]:
    """The variables of an analyzer that asks this provider."""
    return {
        "OPENAI_BASE_URL": base_url,
        "OPENAI_API_KEY": "none",
        "PARLEY_ANALYZER_MODEL_PRICES": PRICES,
        "PARLEY_ANALYZER_CALLS": str(CALLS),
    }


def body() -> dict[str, Any]:
    """The request that the prompt makes of a segment like those that are measured."""
    settings = AnalyzerSettings()
    prompt = ChatModel(settings).render(PROMPT, SegmentText("", tuple(talk_of("c0"))))
    structure, limit = settings.analyzer_model_structure, settings.analyzer_model_token_limit
    return body_of(PROMPT, first_messages(prompt), structure, limit)
