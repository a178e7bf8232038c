"""Jobs are claimed ahead where verdicts come fast, and not where a model takes its time."""

from services.analyzer.core.pace import LOOKS_BACK_S, Pace


def ended(pace: Pace, *at_s: float) -> Pace:
    for one in at_s:
        pace.ended(one)
    return pace


def test_nothing_is_claimed_ahead_before_the_first_verdict() -> None:
    pace = Pace(16)
    assert pace.ahead(10.0) == 0
    assert pace.is_worth_a_claim(1, 10.0)
    assert not pace.is_worth_a_claim(0, 10.0)


def test_as_many_are_claimed_ahead_as_ended_just_now() -> None:
    pace = ended(Pace(16), 10.0, 10.01, 10.02)
    assert pace.ahead(10.05) == 3
    assert pace.ahead(10.01 + LOOKS_BACK_S) == 1
    assert pace.ahead(10.02 + LOOKS_BACK_S) == 0


def test_never_more_than_so_many() -> None:
    assert ended(Pace(4), *[10.0] * 9).ahead(10.0) == 4


def test_a_claim_is_for_half_of_them_at_least() -> None:
    pace = ended(Pace(16), *[10.0] * 16)
    assert not pace.is_worth_a_claim(7, 10.05)
    assert pace.is_worth_a_claim(8, 10.05)
    # Of a slow model every place that becomes free is given at once.
    assert pace.is_worth_a_claim(1, 10.5)
