"""Several partitions in one order of time, whatever portions they come in."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from parley.backfilling.core import Found
from parley.backfilling.order import Merge, places_after

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(partition: int, offset: int, minutes: int) -> Found:
    return Found(partition, offset, NOON + timedelta(minutes=minutes), None)


def merged(partitions: dict[int, list[Found]], block: int, *, newest_first: bool) -> list[Found]:
    merge = Merge(partitions, newest_first=newest_first)
    left = {
        number: list(reversed(found)) if newest_first else list(found)
        for number, found in partitions.items()
    }
    taken: list[Found] = []
    while True:
        for number in merge.hungry:
            if left[number]:
                merge.add(number, left[number][:block])
                left[number] = left[number][block:]
            else:
                merge.finish(number)
        if merge.is_empty:
            return taken
        taken.append(merge.take())


@st.composite
def logs(draw: st.DrawFn) -> dict[int, list[Found]]:
    """Partitions, each with times that grow."""
    return {
        number: [
            record(number, offset, minutes)
            for offset, minutes in enumerate(sorted(draw(st.lists(st.integers(0, 9), max_size=8))))
        ]
        for number in range(3)
    }


@given(logs(), st.integers(1, 4), st.booleans())
def test_any_portions_give_one_order_of_time(
    partitions: dict[int, list[Found]], block: int, newest_first: bool
) -> None:
    taken = merged(partitions, block, newest_first=newest_first)
    times = [one.sealed_at for one in taken]
    assert times == sorted(times, reverse=newest_first)
    for number, found in partitions.items():
        own = [one for one in taken if one.partition == number]
        assert own == (found[::-1] if newest_first else found)


def test_a_place_is_behind_the_last_record_in_the_order_of_reading() -> None:
    up = [record(0, 3, 0), record(1, 7, 1), record(0, 4, 2)]
    assert places_after(up, newest_first=False) == {0: 5, 1: 8}
    down = [record(0, 4, 2), record(1, 7, 1), record(0, 3, 0)]
    assert places_after(down, newest_first=True) == {0: 3, 1: 7}
