"""What tests of the HTTP API share."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from services.gateway.settings import GatewaySettings
from tests.unit.gateway.api.application import application
from tests.unit.gateway.fakes import FakeProducer


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
async def client(producer: FakeProducer) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(
        gateway_ack_timeout=timedelta(milliseconds=500), gateway_test_endpoints=True
    )
    transport = httpx.ASGITransport(application(producer, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made
