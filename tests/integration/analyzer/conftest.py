"""What tests of the analyzer against the real PostgreSQL share."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from parley.settings import Settings
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore
from tests.integration.analyzer.prompting import Prompting
from tests.integration.analyzer.stage import (
    DECIDED_OFFSET,
    Tables,
    analyzer_settings,
    sealed,
    talk,
)
from tests.support.passes import apply_shipped
from tests.unit.analyzer.fake_model import FakeModel

NO_REST = {"analyzer_call_rest": timedelta(0), "analyzer_rest": timedelta(0)}


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    """With the shipped passes applied, before anything is sealed."""
    await apply_shipped(settings)
    return settings


@pytest.fixture
def own_settings(settings: Settings) -> AnalyzerSettings:
    return analyzer_settings(settings, analyzer_lease=timedelta(seconds=30))


@pytest.fixture
def store(pool: Any, own_settings: AnalyzerSettings) -> JobStore:
    return JobStore(pool, own_settings)


@pytest.fixture
def tables(pool: Any, settings: Settings) -> Tables:
    return Tables(pool, settings)


@pytest.fixture
def make(pool: Any, own_settings: AnalyzerSettings) -> Callable[..., Prompting]:
    def build(*passes: Any, model: FakeModel | None = None, **settings: Any) -> Prompting:
        own = own_settings.model_copy(update={**NO_REST, **settings})
        return Prompting(pool, own, model or FakeModel(), passes)

    return build


@pytest.fixture
async def prompting(make: Callable[..., Prompting], tables: Tables) -> Prompting:
    """One job that can be asked about."""
    await tables.persister_is_at(DECIDED_OFFSET + 1)
    await tables.say("c", talk("c"))
    made = make()
    await made.read(sealed("c", talk("c")))
    return made
