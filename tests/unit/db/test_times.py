"""A time as the driver writes it, whether or not a compiler was there."""

import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.db.times import to_wire, to_wire_plainly
from tests.unit.codec.usual import compiled

zones = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
moments = st.datetimes(timezones=st.one_of(st.just(UTC), zones))


@compiled
@given(moments)
def test_compiled_or_not_a_time_is_the_same(moment: datetime) -> None:
    assert to_wire(moment) == to_wire_plainly(moment)
    epoch = datetime(2000, 1, 1, tzinfo=UTC)
    assert to_wire(moment) == ((moment - epoch) // timedelta(microseconds=1),)


@pytest.mark.parametrize("wrong", [datetime(2026, 1, 1), timedelta(1), "2026-01-01", None])  # noqa: DTZ001
def test_what_is_no_time_with_a_zone_is_refused(wrong: Any) -> None:
    for convert in (to_wire, to_wire_plainly):
        with pytest.raises((TypeError, AttributeError)):
            convert(wrong)


@compiled
def test_nothing_is_kept_of_a_time() -> None:
    moment = datetime(2026, 1, 1, 1, 2, 3, 4, UTC)
    before = sys.getrefcount(moment)
    for _ in range(50):
        to_wire(moment)
    assert sys.getrefcount(moment) == before
