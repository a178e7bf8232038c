"""Which verdicts a segment lacks, and why, from the facts alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from parley.passes.catalog import Catalog, NotDue
from parley.passes.definition import PassDefinition
from parley.passes.suspended import Suspended
from parley.results.lacking import NOTHING_SUSPENDED, Lack, Why, lacking
from parley.results.passes import sample_of
from tests.unit.passes.samples import CODE, NOON, PROMPT, active, applied, catalog, change, wanted

NOW = catalog(
    change(applied(CODE)),
    change(applied(CODE, version=2)),
    change(active((1, 0), (2, 9))),
)
PRINT = applied(CODE, version=2).fingerprint


def lacks(
    known: Catalog = NOW,
    verdicts: Sequence[tuple[int, int, str]] = (),
    jobs: Sequence[tuple[int, int, str]] = (),
    suspended: Mapping[str, Suspended] = NOTHING_SUSPENDED,
    **segment: Any,
) -> list[Lack]:
    """What the second revision of a segment lacks."""
    whole = {
        "tenant_id": "acme",
        "segment_id": "00000000-0000-0000-0000-000000000001",
        "revision": 2,
        "channel": "phone",
        "message_count": 5,
        **segment,
    }
    made = [
        {"pass_name": "turns", "revision": one, "pass_version": two, "fingerprint": three}
        for one, two, three in verdicts
    ]
    known_jobs = [
        {
            "pass_name": "turns",
            "revision": revision,
            "pass_version": version,
            "state": state,
            "reason": f"because of {state}",
            "fingerprint": PRINT,
            "attempt_count": 1,
            "due_at": None,
        }
        for revision, version, state in jobs
    ]
    return lacking(known, whole, made, known_jobs, suspended)


def test_an_open_job_of_a_suspended_pass_says_so() -> None:
    suspended = {PRINT: Suspended(PRINT, "turns", 2, "other_fingerprint", NOON, 1)}
    [lack] = lacks(jobs=[(2, 2, "open")], suspended=suspended)
    assert (lack.why, lack.reason) == (Why.OPEN, "suspended by 1 analyzer: other_fingerprint")
    # What has failed did so before, and another pass is none of its business.
    [failed] = lacks(jobs=[(2, 2, "failed")], suspended=suspended)
    assert failed.reason == "because of failed"
    [other] = lacks(jobs=[(2, 2, "open")], suspended={"f" * 64: suspended[PRINT]})
    assert other.reason == "because of open"


def test_a_verdict_of_this_revision_by_this_version_is_not_lacking() -> None:
    assert lacks(verdicts=[(2, 2, PRINT)]) == []


@pytest.mark.parametrize("former", [(1, 2, PRINT), (2, 1, "another"), (2, 2, "another")])
def test_any_other_verdict_counts_no_more(former: tuple[int, int, str]) -> None:
    [lack] = lacks(verdicts=[former])
    assert (lack.why, lack.former) == (Why.NO_JOB, former[:2])


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("open", Why.OPEN),
        ("claimed", Why.OPEN),
        ("verdict", Why.OPEN),
        ("parked", Why.PARKED),
        ("failed", Why.FAILED),
        ("superseded", Why.SUPERSEDED),
    ],
)
def test_the_job_says_why(state: str, why: Why) -> None:
    [lack] = lacks(jobs=[(2, 2, state), (1, 2, "failed"), (2, 1, "failed")])
    assert (lack.pass_name, lack.pass_version, lack.why) == ("turns", 2, why)
    assert lack.reason == f"because of {state}"
    assert lack.is_due


def test_what_is_not_due_is_said_to_be_so() -> None:
    asked = catalog(
        change(applied(PROMPT)),
        change(active((2, None), name="summary")),
        change(applied(CODE, name="old")),
    )
    assert {one.pass_name: one.why for one in lacks(asked)} == {
        "old": NotDue.NOT_ACTIVE,
        "summary": NotDue.NOT_SUBSCRIBED,
    }
    asked.apply(change(wanted("summary"), "acme"))
    [summary] = [one for one in lacks(asked, channel="mail") if one.pass_name == "summary"]
    assert (summary.why, summary.is_due) == (NotDue.FILTERED, False)


def test_the_bound_of_a_sample_is_that_of_the_definition() -> None:
    def sampled(share: float) -> PassDefinition:
        return applied(CODE, sampling=share).definition

    assert sample_of(sampled(1.0)) is None
    assert sample_of(sampled(0.25)) == "4000000000000000"
    assert sample_of(sampled(0.0)) == "0000000000000000"
