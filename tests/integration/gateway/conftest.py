"""A gateway's process for the tests that need one."""

from collections.abc import Iterator

import pytest

from parley.settings import Settings
from tests.support.processes import ServiceProcess


@pytest.fixture
def gateway(settings: Settings) -> Iterator[ServiceProcess]:
    """A gateway that ends a session a second after its client went."""
    with ServiceProcess("gateway", settings, PARLEY_GATEWAY_RECONNECT_GRACE="1") as process:
        yield process
