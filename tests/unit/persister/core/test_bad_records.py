"""When a partition stops for too many records that cannot be used."""

from services.persister.core.bad_records import BadLimits, problem, remembered

LIMITS = BadLimits(in_a_row=5, ratio=0.5, window=20)


def test_one_less_than_the_limit_in_a_row_passes() -> None:
    assert problem([], range(10, 14), LIMITS) is None


def test_the_limit_in_a_row_stops() -> None:
    assert "5 records in a row up to offset 14" in str(problem([], range(10, 15), LIMITS))


def test_a_row_goes_on_over_the_end_of_a_batch() -> None:
    assert problem([10, 11, 12], [13, 14], LIMITS) is not None


def test_a_good_record_between_breaks_the_row() -> None:
    assert problem([10, 11, 12], [14, 15], LIMITS) is None


def test_half_of_the_window_passes_and_one_more_stops() -> None:
    assert problem([], range(0, 20, 2), LIMITS) is None
    assert "11 of 20 records" in str(problem([], [*range(0, 20, 2), 19], LIMITS))


def test_a_bad_stretch_within_a_long_batch_stops() -> None:
    assert problem([], [*range(100, 105), 900], LIMITS) is not None


def test_what_was_let_pass_before_does_not_stop_a_good_batch() -> None:
    assert problem(range(10, 20), [], LIMITS) is None


def test_only_what_the_limits_reach_is_remembered() -> None:
    assert remembered([1, 2], [10, 25], 30, LIMITS) == (10, 25)
