"""Analyzer processes that ask a provider on loopback, and what is to be reckoned afterwards."""

from dataclasses import dataclass
from typing import Any

from parley.analyses import JobEndKind
from parley.passes.applied import Subscription
from parley.passes.definition import PassDefinition, PassKind, PromptTemplate
from parley.passes.planning import Wanted
from parley.passes.publishing import apply_passes, publish
from parley.settings import Settings
from tests.integration.analyzer.stage import TENANT, Analyses
from tests.support.passes import OPERATOR
from tests.support.provider import MODEL, Provider

ASKING = PassDefinition(
    name="asking",
    version=1,
    kind=PassKind.PROMPT,
    category="test",
    description="what a test asks a model",
    output_schema={
        "type": "object",
        "properties": {"summary": {"type": "string"}},
        "required": ["summary"],
        "additionalProperties": False,
    },
    prompt=PromptTemplate("asking", 1, "Be brief.", "{{ transcript }}"),
    model=MODEL,
)
# US dollars per million tokens: every answer costs something.
PRICES = f'{{"{MODEL}": [1000, 1000]}}'
COST_MICRO_USD = (11 + 7) * 1_000


async def ask_of_everybody(settings: Settings, definition: PassDefinition = ASKING) -> None:
    """Put the pass in force, and let the tenant want it."""
    await apply_passes(settings, [Wanted(definition)], OPERATOR)
    wanted = Subscription(definition.name, is_category=False, is_enabled=True)
    await publish(settings, [wanted], OPERATOR, TENANT)


def asks(provider: Provider, **more: str) -> dict[str, str]:
    """The variables of an analyzer that asks this provider."""
    return {
        "OPENAI_BASE_URL": provider.base_url,
        "OPENAI_API_KEY": "anything",
        "PARLEY_ANALYZER_MODEL_PRICES": PRICES,
        "PARLEY_ANALYZER_LEASE": "2",
        **more,
    }


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What is in the tables and in the topic."""

    verdicts: dict[str, int]
    """How many different ends with a result each segment has in the topic."""
    charges: int
    spent_micro_usd: int


async def reckon(settings: Settings, pool: Any) -> Reckoning:
    """What became of the jobs of the pass."""
    async with Analyses(settings) as analyses:
        ends = await analyses.read()
    verdicts = {
        segment_id: sum(one.end is JobEndKind.VERDICT for one in found)
        for (segment_id, _, name), found in ends.items()
        if name == ASKING.name
    }
    row = await pool.fetchrow(
        "SELECT count(*) AS charges,"
        " coalesce(sum(coalesce(actual_micro_usd, estimated_micro_usd)), 0)::bigint AS spent"
        " FROM operations.charges"
    )
    by_day = await pool.fetchval(
        "SELECT coalesce(sum(live_micro_usd + backfill_micro_usd), 0)::bigint"
        " FROM operations.budget_days"
    )
    assert by_day == row["spent"], "the sums are those of the charges"
    return Reckoning(verdicts, row["charges"], row["spent"])
