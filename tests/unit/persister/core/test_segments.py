"""How segments stand, by the seals that are known."""

import json
from itertools import permutations

from parley.seals import SegmentSealed
from services.persister.core.segments import (
    ReceivedSegment,
    SegmentRow,
    current_segments,
    revision_row,
)
from tests.unit.persister.samples import at, place, retracts, sealed, segment_id


def current(*seals: SegmentSealed) -> dict[str, SegmentRow]:
    """The segments by id; fails unless every order of the seals gives the same."""
    results = [
        {row.segment_id: row for row in current_segments(order)} for order in permutations(seals)
    ]
    assert all(result == results[0] for result in results)
    return results[0]


def test_the_greatest_revision_shows() -> None:
    rows = current(sealed("1", 1), sealed("1", 3), sealed("1", 2))
    row = rows[segment_id("1")]
    assert (row.revision, row.message_count, row.is_retracted) == (3, 3, False)


def test_a_swallowed_segment_is_retracted() -> None:
    rows = current(sealed("1"), sealed("2"), sealed("1", 2, retracts("2", 1, "1")))
    row = rows[segment_id("2")]
    assert (row.is_retracted, row.merged_into) == (True, segment_id("1"))
    assert row.started_at is None


def test_a_segment_that_came_back_is_current_again() -> None:
    rows = current(sealed("2"), sealed("1", 2, retracts("2", 1, "1")), sealed("2", 2), sealed("1"))
    row = rows[segment_id("2")]
    assert (row.revision, row.is_retracted, row.merged_into) == (2, False, None)


def test_a_retraction_is_known_even_where_its_segment_is_not() -> None:
    rows = current(sealed("1", 2, retracts("2", 1, "1")))
    assert rows[segment_id("2")].is_retracted


def test_a_revision_keeps_the_whole_decision() -> None:
    row = revision_row(ReceivedSegment(sealed("1", 2, retracts("2", 1, "1")), place(60)))
    assert (row.revision, row.previous_revision, row.cause) == (2, 1, "idle")
    assert row.sealed_at == at(1)
    assert json.loads(row.retracted) == [
        {"segment_id": segment_id("2"), "revision": 1, "merged_into": segment_id("1")}
    ]
