"""The fence in a simulated world: no seed loses, doubles or reorders anything."""

import pytest

from tests.simulation.fence import play


@pytest.mark.parametrize("seed", range(8))
def test_a_seed_ends_with_every_record_applied_once_in_order(seed: int) -> None:
    assert play(seed) > 0
