"""Rests double up to the longest one and are spread; what is refused is given up sooner."""

from datetime import timedelta

import pytest

from parley.webhooks.resting import Resting, is_gone, is_refusal

RESTING = Resting(attempts=100, first=timedelta(seconds=5), longest=timedelta(hours=1))


def test_a_rest_doubles_with_each_failure_up_to_the_longest() -> None:
    rests = [RESTING.rest(failures, 1).total_seconds() for failures in range(1, 14)]
    assert rests[:4] == [5, 10, 20, 40]
    assert rests[9] == 2_560
    assert set(rests[10:]) == {3_600}
    assert RESTING.rest(10_000, 1) == timedelta(hours=1)


def test_a_rest_is_spread_over_its_second_half() -> None:
    assert RESTING.rest(1, 0) == timedelta(seconds=2.5)
    assert RESTING.rest(1, 0.5) == timedelta(seconds=3.75)


@pytest.mark.parametrize(
    ("status", "attempts"),
    [(None, 100), (500, 100), (503, 100), (429, 100), (408, 100), (400, 5), (404, 5), (302, 5)],
)
def test_a_refusal_is_given_up_sooner_than_a_failure(status: int | None, attempts: int) -> None:
    assert is_refusal(status) is (attempts == 5)
    assert not RESTING.is_given_up(attempts - 1, status)
    assert RESTING.is_given_up(attempts, status)


def test_only_gone_is_for_ever() -> None:
    assert [is_gone(one) for one in (410, 404, 500, None)] == [True, False, False, False]
