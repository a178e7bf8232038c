"""What tests of the analyzer against the real PostgreSQL share."""

from datetime import timedelta
from typing import Any

import pytest

from parley.settings import Settings
from services.analyzer.settings import AnalyzerSettings
from services.analyzer.store import JobStore
from tests.integration.analyzer.stage import Tables, analyzer_settings
from tests.support.passes import apply_shipped


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
