"""Segments before and after: what stays, goes together, comes apart."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sealer.core.comparing import Outcome, Stretch, compare
from tests.unit.sealer.samples import at, digest, event_id


def stretch(*numbers: int, channel: str = "chat") -> Stretch:
    """A segment of the messages with these numbers, each said in its own second."""
    first, last = min(numbers), max(numbers)
    return Stretch(
        (at(first), event_id(first)),
        (at(last), event_id(last)),
        f"segment {first}",
        digest(*range(first, last + 1)),
        channel,
    )


Spans = list[tuple[int, ...]]
U, M, S, R = Outcome.UNCHANGED, Outcome.MERGED, Outcome.SPLIT, Outcome.REGROUPED

CASES: dict[str, tuple[Spans, Spans, list[tuple[Outcome, int, int]]]] = {
    "nothing": ([], [], []),
    "as it was": ([(1, 3)], [(1, 3)], [(U, 1, 1)]),
    "one message": ([(1,)], [(1,)], [(U, 1, 1)]),
    "two go together": ([(1, 3), (4, 6)], [(1, 6)], [(M, 2, 1)]),
    "three go together": ([(1,), (2,), (3,)], [(1, 3)], [(M, 3, 1)]),
    "one comes apart": ([(1, 6)], [(1, 3), (4, 6)], [(S, 1, 2)]),
    "a message moves": ([(1, 3), (4, 6)], [(1, 4), (5, 6)], [(R, 2, 2)]),
    "together and apart": ([(1, 3), (4, 6)], [(1, 2), (3, 4), (5, 6)], [(R, 2, 3)]),
    "neighbours are not touched": (
        [(1, 2), (3, 4), (5, 6), (7, 8)],
        [(1, 2), (3, 6), (7, 8)],
        [(U, 1, 1), (M, 2, 1), (U, 1, 1)],
    ),
    "each on its own": (
        [(1, 4), (5, 6), (7, 8)],
        [(1, 2), (3, 4), (5, 8)],
        [(S, 1, 2), (M, 2, 1)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_becomes_of_segments(name: str) -> None:
    before, after, expected = CASES[name]
    groups = compare([stretch(*one) for one in before], [stretch(*one) for one in after])
    found = [(group.outcome, len(group.before), len(group.after)) for group in groups]
    assert found == expected


def test_the_same_bounds_with_other_contents_are_another_segment() -> None:
    changed = stretch(1, 3)._replace(digest=digest(1, 3))
    [group] = compare([stretch(1, 3)], [changed])
    assert group.outcome is Outcome.REGROUPED


def test_the_channel_is_that_of_the_earliest_segment_of_before() -> None:
    before = [stretch(1, 3, channel="chat"), stretch(4, 6, channel="phone")]
    [group] = compare(before, [stretch(1, 6, channel="mail")])
    assert group.channel == "chat"
    [only_after] = compare([], [stretch(1, 6, channel="mail")])
    assert only_after.channel == "mail"


@st.composite
def partitions(draw: st.DrawFn, count: int) -> list[tuple[int, int]]:
    """Messages 0 to `count` - 1, parted somewhere."""
    ends = [*sorted(draw(st.sets(st.integers(1, count - 1)))), count]
    return [(first, last - 1) for first, last in pairwise([0, *ends])]


@given(st.integers(2, 30).flatmap(lambda count: st.tuples(partitions(count), partitions(count))))
def test_groups_are_the_finest_that_both_sides_agree_on(
    both: tuple[list[tuple[int, int]], list[tuple[int, int]]],
) -> None:
    before, after = both
    groups = list(compare([stretch(*one) for one in before], [stretch(*one) for one in after]))
    # A place where a segment begins on both sides parts two groups, and nothing else does.
    shared = _starts(before) & _starts(after)
    assert {group.before[0].first for group in groups} == {
        (at(one), event_id(one)) for one in shared
    }
    assert sum(len(group.before) for group in groups) == len(before)
    assert sum(len(group.after) for group in groups) == len(after)
    unchanged = [group for group in groups if group.outcome is Outcome.UNCHANGED]
    assert len(unchanged) == len(set(before) & set(after))


def _starts(spans: Sequence[tuple[int, int]]) -> set[int]:
    return {first for first, _ in spans}
