"""A scripted gateway for every test of the clients."""

from collections.abc import AsyncIterator

import pytest

from tests.unit.client.gateways import Gateway, listening


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """It listens; what it does can be changed by the test."""
    async with listening(Gateway()) as made:
        yield made
