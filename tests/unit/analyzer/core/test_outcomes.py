"""What becomes of a job after an attempt."""

from datetime import date, timedelta

import pytest

from parley.analyses import Charge, JobEndKind, Lane
from parley.codec import encode_job_ended
from parley.codec.validity import MAX_RECORD_BYTES
from parley.ids import derived_id
from services.analyzer.core.charges import MAYBE_PAID
from services.analyzer.core.outcomes import (
    MAX_LOST_ATTEMPTS,
    MAX_OUTPUT_BYTES,
    Attempting,
    JobState,
    Outcome,
    Result,
    abandoned,
    has_lost_too_many,
    raised,
    succeeded,
    unavailable,
)
from services.analyzer.passes import SHIPPED
from tests.unit.analyzer.samples import at, attempt, segment

RULES = Attempting("w", first_rest=timedelta(seconds=2))
USED = SHIPPED[0].definition
CALLED = (Charge(derived_id("charge"), date(2026, 3, 1), Lane.LIVE, "", 100),)
RESULT = Result(SHIPPED[0].definition, '{"a":1}')


def test_a_result_is_a_verdict_with_all_that_it_came_from() -> None:
    outcome = succeeded(attempt(segment(), "p", 2, 1), RESULT, b"content", RULES, at(300))
    assert outcome.state is JobState.VERDICT
    ended = outcome.ended
    assert ended is not None
    assert (ended.end, ended.output_json, ended.reason) == (JobEndKind.VERDICT, '{"a":1}', "")
    assert (ended.content_digest, ended.member_digest) == (b"content", segment().member_digest)
    assert (ended.attempt_count, ended.started_at, ended.ended_at) == (2, at(200), at(300))


def test_a_job_that_raises_rests_twice_as_long_each_time_and_then_has_failed() -> None:
    outcomes = [
        raised(attempt(segment(), "p", number + 1, number), USED, "KeyError", b"c", RULES, at(300))
        for number in range(3)
    ]
    assert [outcome.state for outcome in outcomes] == ["open", "open", "failed"]
    assert [outcome.failure_count for outcome in outcomes] == [1, 2, 3]
    assert [outcome.due_in.total_seconds() for outcome in outcomes] == [2, 4, 0]
    assert [outcome.ended is None for outcome in outcomes] == [True, True, False]
    ended = outcomes[-1].ended
    assert ended is not None
    assert (ended.end, ended.reason, ended.output_json) == (JobEndKind.FAILED, "KeyError", "")


def test_attempts_that_were_lost_with_their_worker_are_no_failures() -> None:
    outcome = raised(attempt(segment(), "p", 9, 0), USED, "KeyError", b"c", RULES, at(300))
    assert outcome.state is JobState.OPEN


def test_a_job_that_lost_worker_after_worker_has_failed() -> None:
    assert not has_lost_too_many(attempt(segment(), "p", MAX_LOST_ATTEMPTS + 2, 2))
    last = attempt(segment(), "p", MAX_LOST_ATTEMPTS + 3, 2)
    assert has_lost_too_many(last)
    outcome = abandoned(last, RULES, at(300))
    assert (outcome.state, outcome.reason) == (JobState.FAILED, "worker_lost")


def unavailable_after(reason: str, failures: int = 0, *, is_provider_down: bool = False) -> Outcome:
    tried = attempt(segment(), "p", failures + 1, failures)
    rest, now = timedelta(seconds=3), at(300)
    return unavailable(
        *(tried, USED, reason, rest, b"c", RULES, now, CALLED), is_provider_down=is_provider_down
    )


@pytest.mark.parametrize("reason", sorted(MAYBE_PAID))
def test_a_call_without_an_answer_counts_while_the_provider_answers_others(reason: str) -> None:
    outcomes = [unavailable_after(reason, failures) for failures in range(3)]
    assert [one.state for one in outcomes] == ["open", "open", "failed"]
    assert [one.failure_count for one in outcomes] == [1, 2, 3]
    assert [one.released_count for one in outcomes] == [0, 0, 0]
    # The job's own rest, but never less than what the provider asks for.
    assert [one.due_in.total_seconds() for one in outcomes[:2]] == [3, 4]
    ended = outcomes[-1].ended
    assert ended is not None
    # Nobody knows what the last call cost: at most what was reserved.
    assert (ended.reason, ended.cost_micro_usd, ended.charges) == (reason, 100, CALLED)


def test_no_attempt_counts_while_the_provider_is_down() -> None:
    outcome = unavailable_after("timeout", 2, is_provider_down=True)
    assert (outcome.state, outcome.failure_count, outcome.released_count) == ("open", 2, 1)


@pytest.mark.parametrize("reason", ["rate_limited", "unavailable", "unreachable"])
def test_a_refusal_counts_in_no_case(reason: str) -> None:
    outcome = unavailable_after(reason, 2)
    assert (outcome.state, outcome.failure_count, outcome.released_count) == ("open", 2, 1)
    assert outcome.due_in == timedelta(seconds=3)


def test_what_was_not_called_does_not_count() -> None:
    tried = attempt(segment(), "p", 3, 2)
    rest, now = timedelta(0), at(300)
    outcome = unavailable(
        *(tried, USED, "timeout", rest, b"c", RULES, now, ()), is_provider_down=False
    )
    assert (outcome.state, outcome.failure_count) == ("open", 2)


def test_an_output_that_no_record_can_hold_is_a_failure() -> None:
    long_ids = segment(tenant_id="ä" * 256, conversation_id="ä" * 256)
    fitting = Result(SHIPPED[0].definition, '{"a":"' + "ä" * ((MAX_OUTPUT_BYTES - 8) // 2) + '"}')
    outcome = succeeded(attempt(long_ids, "p"), fitting, b"c" * 32, RULES, at(300))
    assert outcome.ended is not None
    assert outcome.state is JobState.VERDICT
    assert len(encode_job_ended(outcome.ended)) < MAX_RECORD_BYTES - 10_000
    above = Result(SHIPPED[0].definition, fitting.output_json + "  ")
    assert succeeded(attempt(long_ids, "p"), above, b"c", RULES, at(300)).reason == (
        "output_too_large"
    )
