"""A gateway's process for the tests that need one."""

from collections.abc import Iterator

import pytest

from parley.settings import Settings
from tests.support.processes import ServiceProcess

# All that the tests say comes from one address, and much faster than people talk.
UNHURRIED = {
    "PARLEY_GATEWAY_RATE_PER_CONNECTION": "100000",
    "PARLEY_GATEWAY_BURST_PER_CONNECTION": "100000",
    "PARLEY_GATEWAY_RATE_PER_USER": "100000",
    "PARLEY_GATEWAY_BURST_PER_USER": "100000",
}


@pytest.fixture
def gateway(settings: Settings) -> Iterator[ServiceProcess]:
    """A gateway that may be killed, and started again on its port."""
    with ServiceProcess("gateway", settings, **UNHURRIED) as process:
        yield process
