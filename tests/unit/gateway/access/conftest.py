"""Access control as a gateway has it, without Kafka: tenants and keys are put in by hand."""

from pathlib import Path

import pytest

from parley import clock
from parley.config import ConfigChange, Tenant
from services.gateway.access import Access
from services.gateway.access.registry import Registry
from tests.unit.gateway.access import issuer


@pytest.fixture
def registry() -> Registry:
    """It knows the tenant acme, and one that is disabled."""
    made = Registry()
    for tenant in (Tenant("acme"), Tenant("closed", is_enabled=False)):
        made.apply(ConfigChange(tenant.name, "test", clock.now(), tenant))
    return made


@pytest.fixture
def access(registry: Registry, tmp_path: Path) -> Access:
    """Access control that is on, and believes the issuer's tokens."""
    return Access(issuer.settings(tmp_path), registry)
