"""Which records are new, which are known, and which only pretend to be."""

from operator import attrgetter
from typing import NamedTuple

from services.persister.core.judging import Judged, first_of_each, judge


class Item(NamedTuple):
    """Something with a key."""

    key: str
    identity: str
    offset: int


def judged(*items: Item, **known: str) -> Judged[Item]:
    return judge(items, first_of_each(items), dict(known), attrgetter("identity"))


def test_what_nobody_knows_is_fresh() -> None:
    items = (Item("a", "1", 0), Item("b", "1", 1))
    assert judged(*items) == Judged(list(items), (), ())


def test_the_first_of_two_copies_is_fresh_and_the_second_a_duplicate() -> None:
    first, second = Item("a", "1", 0), Item("a", "1", 1)
    result = judged(first, second)
    assert (result.fresh, result.duplicates, result.conflicts) == ([first], [second], [])


def test_other_content_under_the_same_id_is_a_conflict_within_a_batch() -> None:
    first, second = Item("a", "1", 0), Item("a", "2", 1)
    result = judged(first, second)
    assert (result.fresh, result.conflicts) == ([first], [second])


def test_other_content_than_the_stored_is_a_conflict() -> None:
    one = Item("a", "2", 0)
    assert judged(one, a="1").conflicts == [one]


def test_a_batch_is_compared_with_what_is_stored_and_not_with_its_own_first() -> None:
    impostor, copy = Item("a", "2", 0), Item("a", "1", 1)
    result = judged(impostor, copy, a="1")
    assert (result.fresh, result.duplicates, result.conflicts) == ([], [copy], [impostor])
