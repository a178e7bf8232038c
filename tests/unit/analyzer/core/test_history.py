"""What the analyses topic says of jobs, in whatever copies it comes."""

from dataclasses import replace
from datetime import date, datetime

from hypothesis import given
from hypothesis import strategies as st

from parley.analyses import (
    Analysis,
    AttemptStarted,
    Charge,
    ChargeRecorded,
    JobEnded,
    JobEndKind,
    JobReopened,
    JobTrigger,
    Lane,
)
from parley.ids import derived_id
from services.analyzer.core.history import Standing, charges_of, fold
from services.analyzer.core.outcomes import end_of
from tests.unit.analyzer.samples import at, attempt, segment

NOW: datetime = at(300)
ATTEMPT = attempt(segment(), "p")
REF = ATTEMPT.job.ref
CHARGE = Charge(derived_id("r"), date(2026, 3, 1), Lane.LIVE, "", 100)


def started(number: int, generation: int = 0, released: int = 0) -> AttemptStarted:
    return AttemptStarted(REF, number, 0, released, generation, "w", NOW)


def ended(end: JobEndKind, generation: int = 0, attempts: int = 1) -> JobEnded:
    whole = end_of(ATTEMPT, end, "why", "w", NOW)
    return replace(whole, generation=generation, attempt_count=attempts)


def reopened(generation: int, attempts: int = 1) -> JobReopened:
    return JobReopened(REF, generation, attempts, JobTrigger.REDRIVE, "ada", NOW)


def state(*told: Analysis) -> Standing:
    return fold(told)[REF.key]


def test_an_attempt_is_counted_and_ends_nothing() -> None:
    assert state(started(1), started(2, released=1)) == Standing("open", "", 0, 2, 0, 1)


def test_an_end_ends_the_job_with_its_reason() -> None:
    assert state(started(1), ended(JobEndKind.FAILED)) == Standing("failed", "why", 0, 1, 0, 0)


def test_of_two_ends_of_one_generation_the_first_counts() -> None:
    told = state(ended(JobEndKind.SUPERSEDED), ended(JobEndKind.VERDICT))
    assert told.state == "superseded"


def test_a_job_that_was_reopened_is_open_though_its_end_is_read_again() -> None:
    first = ended(JobEndKind.FAILED)
    assert state(first, reopened(1), first).state == "open"
    assert state(first, reopened(1), first, ended(JobEndKind.VERDICT, 1)).state == "verdict"


def test_attempts_of_earlier_generations_are_not_lost_ones() -> None:
    told = state(started(3), ended(JobEndKind.FAILED, attempts=3), reopened(1, attempts=3))
    assert told.attempt_count - told.failure_count - told.released_count == 0


STEPS = (
    st.builds(started, st.integers(1, 5), st.integers(0, 2), st.integers(0, 3))
    | st.builds(ended, st.sampled_from(JobEndKind), st.integers(0, 2), st.integers(1, 5))
    | st.builds(reopened, st.integers(1, 2), st.integers(1, 5))
)


@given(st.lists(STEPS, min_size=1, max_size=12), st.integers(0, 12), st.integers(0, 12))
def test_what_is_published_again_changes_nothing(
    told: list[Analysis], first: int, last: int
) -> None:
    again = told + told[min(first, last) : max(first, last)]
    assert fold(again) == fold(told)


@given(st.lists(STEPS, min_size=1, max_size=12), st.integers(0, 12))
def test_batches_may_be_split_anywhere(told: list[Analysis], at_number: int) -> None:
    before, after = fold(told[:at_number]), fold(told[at_number:])
    merged = dict(before)
    for key, standing in after.items():
        merged[key] = merged[key].then(standing) if key in merged else standing
    assert merged == fold(told)


def test_a_settled_charge_counts_once_whatever_is_read_after_it() -> None:
    settled = replace(CHARGE, actual_micro_usd=40)
    end = replace(ended(JobEndKind.VERDICT), charges=(settled,))
    told: list[Analysis] = [ChargeRecorded(REF, CHARGE), end]
    for one in (told, told[::-1]):
        assert charges_of(one) == [ChargeRecorded(REF, settled)]
