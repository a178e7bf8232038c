"""The properties of sealing with 12,000 examples in all; `tests/unit` tries hundreds."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.unit.sealer import properties
from tests.unit.sealer.strategies import logs, plain_messages
from tests.unit.sealer.test_properties import SEEDS

pytestmark = pytest.mark.integration

EXAMPLES = 2_000
AT_LENGTH = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize(
    ("check", "made_up"),
    [
        (properties.check_batches, (logs(), SEEDS)),
        (properties.check_extending, (logs(), SEEDS)),
        (properties.check_workers, (logs(), SEEDS)),
        (properties.check_seals, (logs(),)),
        (properties.check_isolation, (logs(),)),
        (properties.check_any_order, (plain_messages(), SEEDS)),
    ],
    ids=["batches", "extending", "workers", "seals", "isolation", "any-order"],
)
def test_a_property_holds_for_two_thousand_examples(
    check: Callable[..., None], made_up: Any
) -> None:
    holds: Callable[[], None] = AT_LENGTH(given(*made_up)(check))  # type: ignore[no-untyped-call]
    holds()
