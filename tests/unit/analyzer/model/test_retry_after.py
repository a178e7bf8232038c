"""How long endpoints ask to be left alone, in each of the forms in which they say it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.analyzer.model.contract import ModelUnavailable
from services.analyzer.model.retry_after import LONGEST, retry_after
from tests.support.provider import Refuses
from tests.unit.analyzer.model.asking import Asking

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATER = "Sun, 01 Mar 2026 12:00:30 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": LATER}, 30),
        ({"retry-after": LATER, "date": "Sun, 01 Mar 2026 11:59:50 GMT"}, 40),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "Sun, 01 Mar 2026 13:00:30 +0100"}, 30 + 0),
        ({"retry-after": "99999999999"}, LONGEST.total_seconds()),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, None),
        ({"retry-after": "Mon, 01 Jan 2024 00:00:00 +99999999999999"}, None),
    ],
)
def test_both_forms_are_read_and_nonsense_is_none(
    headers: dict[str, str], seconds: float | None
) -> None:
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after(headers, NOW) == expected


@given(said=st.text(max_size=40), date=st.text(max_size=40))
def test_any_text_is_a_wait_or_none(said: str, date: str) -> None:
    wait = retry_after({"retry-after": said, "date": date, "retry-after-ms": date}, NOW)
    assert wait is None or timedelta(0) <= wait <= LONGEST


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize(
    "headers",
    [{"Retry-After": "30"}, {"Retry-After": LATER, "Date": "Sun, 01 Mar 2026 12:00:00 GMT"}],
)
async def test_it_reaches_whoever_waits(asks: Asking, status: int, headers: dict[str, str]) -> None:
    asks.provider.acts(Refuses(status, headers=headers))
    failure = await asks.failure()
    assert isinstance(failure, ModelUnavailable)
    assert failure.retry_after == timedelta(seconds=30)
