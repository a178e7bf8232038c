"""What tests of webhooks share."""

from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest

from parley.settings import Settings
from tests.integration.analyzer.webhooks.stage import OWN, Stage
from tests.support.processes import ServiceProcess


@pytest.fixture
async def stage(settings: Settings, pool: Any) -> AsyncIterator[Stage]:
    with ExitStack() as running:
        running.enter_context(ServiceProcess("persister", settings))
        analyzer = running.enter_context(ServiceProcess("analyzer", settings, **OWN))
        yield Stage(settings, pool, analyzer)
