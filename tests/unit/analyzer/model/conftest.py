"""A model and a scripted provider for every test that wants them."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.analyzer.model.asking import Asking, asking


@pytest.fixture
async def asks() -> AsyncIterator[Asking]:
    async with asking() as made:
        yield made
