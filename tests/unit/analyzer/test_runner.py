"""Passes run, fail and are refused without a word of the conversation in the log."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from parley.digests import SpokenMember, content_digest
from parley.passes.code import CodePass, Output, SegmentText
from services.analyzer.core.outcomes import Attempting, JobState, Outcome
from services.analyzer.known import FixedPasses
from services.analyzer.passes import SHIPPED
from services.analyzer.passes.shapes import fields
from services.analyzer.runner import Runner
from tests.unit.analyzer.samples import attempt_at, code_pass, segment, user

RULES = Attempting("w", first_rest=timedelta(seconds=1))
MEMBERS = [user(0, "my secret"), user(1, "is out")]
WORDS_ARE_NUMBERS = fields(words={"type": "integer"})


def raising(segment_text: SegmentText) -> Output:
    raise LookupError(segment_text.messages[0].content.text)


def made(run: Callable[[SegmentText], Output]) -> CodePass:
    return code_pass("p", run)


def outcome_of(one: CodePass, members: Sequence[SpokenMember] = MEMBERS) -> Outcome:
    of = segment(MEMBERS)
    (outcome,) = Runner(FixedPasses([one]), RULES).run([attempt_at(one, of)], {of: members})
    return outcome


@pytest.mark.parametrize("one", SHIPPED, ids=lambda one: one.definition.name)
def test_a_shipped_pass_gives_a_verdict(one: CodePass) -> None:
    outcome = outcome_of(one)
    assert outcome.state is JobState.VERDICT
    assert outcome.ended is not None
    assert outcome.ended.content_digest == content_digest(MEMBERS)


def test_what_a_pass_raises_is_known_by_its_type_alone() -> None:
    with structlog.testing.capture_logs() as lines:
        outcome = outcome_of(made(raising))
    assert (outcome.state, outcome.reason) == (JobState.OPEN, "LookupError")
    assert lines
    assert lines[0]["place"].startswith("raising:")
    assert "secret" not in repr((outcome, lines))


@pytest.mark.parametrize(
    "output", [{"score": float("nan")}, {"score": {1}}, {1: 2, "a": 3}], ids=["nan", "set", "keys"]
)
def test_a_result_that_json_cannot_hold_is_a_failure(output: Output) -> None:
    assert outcome_of(made(lambda _: output)).reason == "invalid_output"


def test_a_result_that_is_not_as_its_schema_says_is_a_failure_without_its_words() -> None:
    definition = replace(made(raising).definition, output_schema=WORDS_ARE_NUMBERS)
    one = CodePass(definition, lambda text: {"words": text.messages[0].content.text})
    with structlog.testing.capture_logs() as lines:
        outcome = outcome_of(one)
    assert (outcome.state, outcome.reason) == (JobState.OPEN, "invalid_output")
    assert outcome.failure_count == 1
    assert outcome.ended is None
    assert "secret" not in repr((outcome, lines))


def test_a_result_that_is_as_its_schema_says_is_a_verdict() -> None:
    definition = replace(made(raising).definition, output_schema=WORDS_ARE_NUMBERS)
    assert outcome_of(CodePass(definition, lambda _: {"words": 2})).state is JobState.VERDICT


def test_after_its_attempts_a_job_with_an_invalid_result_has_failed() -> None:
    of = segment(MEMBERS)
    one = made(lambda _: {"score": float("nan")})
    third = replace(attempt_at(one, of), attempt_count=3, failure_count=2)
    (outcome,) = Runner(FixedPasses([one]), RULES).run([third], {of: MEMBERS})
    assert (outcome.state, outcome.reason) == (JobState.FAILED, "invalid_output")


def test_other_members_than_the_sealed_ones_park_the_job() -> None:
    with structlog.testing.capture_logs() as lines:
        outcome = outcome_of(SHIPPED[0], MEMBERS[:1])
    assert (outcome.state, outcome.reason) == (JobState.PARKED, "digest_mismatch")
    assert outcome.ended is None
    assert [line["log_level"] for line in lines] == ["error"]


def test_one_job_that_fails_takes_no_other_along() -> None:
    of = segment(MEMBERS)
    passes = [SHIPPED[0], made(raising), SHIPPED[1]]
    runner = Runner(FixedPasses(passes), RULES)
    outcomes = runner.run([attempt_at(one, of) for one in passes], {of: MEMBERS})
    assert [outcome.state for outcome in outcomes] == ["verdict", "open", "verdict"]
