"""What tests of a topic's next incarnation share."""

import pytest

from parley.settings import Settings
from tests.support.passes import apply_shipped


@pytest.fixture
async def settings(settings: Settings) -> Settings:
    """With the shipped passes applied, before anything is sealed."""
    await apply_shipped(settings)
    return settings
