"""What a backfill cannot be asked for."""

import pytest

from parley.backfilling.core import BackfillPass, Filters
from parley.backfilling.request import LEAST_RATE, BackfillRequest
from parley.errors import UserError


def asked(rate: float | None) -> BackfillRequest:
    one = BackfillPass("sentiment", 1, "f")
    return BackfillRequest(passes=(one,), filters=Filters(), rate=rate)


@pytest.mark.parametrize("rate", [0.0, 1e-300, 1e-12, -1.0, float("nan")])
def test_a_rate_whose_next_moment_is_beyond_all_calendars_is_refused(rate: float) -> None:
    with pytest.raises(UserError, match="too small"):
        asked(rate).check()


@pytest.mark.parametrize("rate", [None, LEAST_RATE, 100.0])
def test_other_rates_are_taken(rate: float | None) -> None:
    asked(rate).check()
