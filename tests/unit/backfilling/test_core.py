"""Which seals of the past get jobs: compared with a reference that knows everything at once."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parley.backfilling.core import (
    WANTED,
    BackfillPass,
    Filters,
    Found,
    Known,
    Pair,
    Standing,
    Tally,
    pairs_of,
    plan,
    standing_of,
)
from parley.config import ConfigChange
from parley.passes.applied import Subscription
from parley.passes.catalog import Catalog
from parley.passes.definition import PassKind, Target
from parley.seals import SealCause, SegmentSealed

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
A = BackfillPass("a", 2, "new")
B = BackfillPass("b", 1, "other")
RUN = "this run"


def sealed(number: int = 0, revision: int = 1, **fields: Any) -> SegmentSealed:
    at = NOON + timedelta(minutes=number)
    segment_id = f"00000000-0000-0000-0000-{number:012}"
    return replace(
        SegmentSealed(
            "default",
            f"c{number}",
            segment_id,
            revision,
            revision - 1,
            SealCause.IDLE,
            at,
            at,
            segment_id,
            segment_id,
            4,
            b"",
            0,
            0,
            "first",
            0,
            0,
            at,
            "default",
            1,
            1,
            segment_id,
            "chat",
            (),
            (),
        ),
        **fields,
    )


def found(number: int = 0, revision: int = 1, partition: int = 0, **fields: Any) -> Found:
    return Found(partition, number, NOON, sealed(number, revision, **fields))


def pair(one: Found, wanted: BackfillPass = A, place: int = 0) -> Pair:
    assert one.sealed is not None
    return Pair(place, one, one.sealed, wanted)


def standing(**known: Any) -> Standing:
    return standing_of(pair(found()), Known(**{"revision": 1, **known}), RUN)


def test_a_segment_without_a_verdict_is_missing() -> None:
    assert standing() is Standing.MISSING


@pytest.mark.parametrize("revision", [None, 2])
def test_a_revision_that_is_not_the_greatest_is_nobodys_gap(revision: int | None) -> None:
    assert standing(revision=revision) is Standing.NOT_CURRENT


def test_a_retracted_segment_is_nobodys_gap() -> None:
    assert standing(is_retracted=True) is Standing.NOT_CURRENT


def test_a_verdict_of_the_fingerprint_covers() -> None:
    assert standing(verdict_fingerprint="new") is Standing.COVERED
    assert standing(job_state="verdict", job_fingerprint="new") is Standing.COVERED


def test_a_verdict_of_the_version_under_another_fingerprint_needs_a_new_version() -> None:
    assert standing(verdict_fingerprint="old") is Standing.STALE_FINGERPRINT
    assert standing(job_state="open", job_fingerprint="old") is Standing.STALE_FINGERPRINT
    assert Standing.STALE_FINGERPRINT not in WANTED


def test_stale_says_because_of_what() -> None:
    assert standing(has_other_version=True, has_other_revision=True) is Standing.STALE_VERSION
    assert standing(has_other_revision=True) is Standing.STALE_REVISION


@pytest.mark.parametrize("state", ["open", "claimed", "parked"])
def test_a_job_that_waits_is_not_made_again(state: str) -> None:
    assert standing(job_state=state, job_fingerprint="new") is Standing.UNFINISHED


def test_a_failed_job_is_told_and_not_made_again() -> None:
    assert standing(job_state="failed", job_fingerprint="new") is Standing.FAILED


def test_a_cancelled_job_is_as_good_as_none() -> None:
    assert standing(job_state="cancelled", job_fingerprint="new") is Standing.MISSING
    assert standing(job_state="cancelled", job_run_id=RUN) is Standing.MISSING


def test_a_job_of_the_run_itself_is_counted_once() -> None:
    assert standing(job_state="open", job_fingerprint="new", job_run_id=RUN) is Standing.OWN


def test_filters_go_by_the_end_of_a_segment() -> None:
    one = sealed(started_at=NOON - timedelta(hours=1), ended_at=NOON)
    assert Filters(since=NOON).takes(one)
    assert not Filters(since=NOON + timedelta(seconds=1)).takes(one)
    assert not Filters(until=NOON).takes(one)
    assert Filters(until=NOON + timedelta(seconds=1)).takes(one)


@pytest.mark.parametrize("name", ["tenant_id", "channel", "conversation_id"])
def test_a_filter_takes_its_own_only(name: str) -> None:
    one = sealed()
    own: dict[str, Any] = {name: getattr(one, name)}
    another: dict[str, Any] = {name: "another"}
    assert Filters(**own).takes(one)
    assert not Filters(**another).takes(one)


def test_a_pass_of_another_channel_or_tenant_is_not_for_the_segment() -> None:
    other = replace(A, target=Target(channels=("phone",)))
    (one,) = pairs_of([found()], [other], Filters(), Catalog())
    assert standing_of(one, Known(revision=1), RUN) is Standing.FILTERED


def test_a_prompt_is_for_who_subscribed() -> None:
    prompt, catalog = replace(A, kind=PassKind.PROMPT, category="summary"), Catalog()
    (one,) = pairs_of([found()], [prompt], Filters(), catalog)
    assert standing_of(one, Known(revision=1), RUN) is Standing.NOT_SUBSCRIBED
    wanted = Subscription("summary", is_category=True, is_enabled=True)
    catalog.apply(ConfigChange("default", "tester", NOON, wanted))
    (one,) = pairs_of([found()], [prompt], Filters(), catalog)
    assert standing_of(one, Known(revision=1), RUN) is Standing.MISSING


def test_a_pass_is_the_same_after_its_way_through_a_row() -> None:
    one = replace(A, target=Target(("acme",), ("phone",), 3), sampling=0.5, kind=PassKind.PROMPT)
    assert BackfillPass.from_json(one.to_json()) == one


STANDINGS = st.sampled_from(list(Standing))


@st.composite
def pasts(draw: st.DrawFn) -> list[tuple[Found, dict[str, Standing]]]:
    """Seals in order, and how two passes stand to each."""
    count = draw(st.integers(0, 12))
    partitions = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return [
        (found(number, partition=partition), {"a": draw(STANDINGS), "b": draw(STANDINGS)})
        for number, partition in enumerate(partitions)
    ]


def judged_of(
    past: list[tuple[Found, dict[str, Standing]]],
) -> list[tuple[Pair, Standing]]:
    return [
        (pair(one, wanted, place), standings[wanted.name])
        for place, (one, standings) in enumerate(past)
        for wanted in (A, B)
    ]


def wanted_of(past: list[tuple[Found, dict[str, Standing]]]) -> list[tuple[int, str]]:
    """The reference: all jobs, in order."""
    return [
        (one.offset, name)
        for one, standings in past
        for name, how in standings.items()
        if how in WANTED
    ]


@given(pasts(), st.lists(st.integers(2, 5), min_size=1), st.none() | st.integers(1, 12))
def test_slices_of_any_size_make_the_jobs_of_one_reading(
    past: list[tuple[Found, dict[str, Standing]]], rooms: list[int], limit: int | None
) -> None:
    made: list[tuple[int, str]] = []
    total, rest, turn = Tally(), past, 0
    while rest:
        room, left = rooms[turn % len(rooms)], None if limit is None else limit - len(made)
        planned = plan([one for one, _ in rest], judged_of(rest), room, left)
        assert len(planned.jobs) <= room
        assert planned.taken > 0, "there is room for the jobs of one seal"
        made += [(one.found.offset, one.one.name) for one in planned.jobs]
        for tally in planned.tallies.values():
            total.add(tally)
        rest, turn = rest[planned.taken :], turn + 1
        if planned.is_last:
            break
    expected = wanted_of(past)
    assert made == (expected if limit is None else expected[:limit])
    assert total.wanted == len(made)
    if limit is None:
        for name in ("a", "b"):
            counts = total.by_pass.get(name, Counter())
            for how in (Standing.COVERED, Standing.MISSING, Standing.FAILED):
                held = sum(standings[name] is how for _, standings in past)
                assert counts.get(how.value, 0) == held


@given(pasts())
def test_tallies_are_of_the_partition_that_the_seal_lies_in(
    past: list[tuple[Found, dict[str, Standing]]],
) -> None:
    planned = plan([one for one, _ in past], judged_of(past), 1_000, None)
    for partition in range(3):
        own = [standings for one, standings in past if one.partition == partition]
        counted = sum(
            how not in (Standing.NOT_CURRENT, Standing.OWN)
            for standings in own
            for how in standings.values()
        )
        tally = planned.tallies.get(partition, Tally())
        assert sum(sum(counts.values()) for counts in tally.by_pass.values()) == counted
        assert Tally.from_json(tally.to_json()) == tally
