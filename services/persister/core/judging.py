"""Decides which records are new, which are known, and which only pretend to be known."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Generic, Protocol, TypeVar


class Keyed(Protocol):
    """Something of which there may be one."""

    @property
    def key(self) -> Hashable:
        """What must be unique."""


Item = TypeVar("Item", bound=Keyed)

_key_of: Final[Callable[[Keyed], Hashable]] = attrgetter("key")


@dataclass(frozen=True, slots=True)
class Judged(Generic[Item]):
    """What became of a batch's items: duplicates and conflicts in the order of the log, what is
    new in that in which it was given.
    """

    fresh: Sequence[Item]
    duplicates: Sequence[Item]
    conflicts: Sequence[Item]


def first_of_each(items: Sequence[Item]) -> list[Item]:
    """The lowest position of every key: of equal copies it wins."""
    # Nearly always no key is there twice.
    if len(set(map(_key_of, items))) == len(items):
        return list(items)
    firsts: dict[Hashable, Item] = {}
    for item in items:
        firsts.setdefault(item.key, item)
    return list(firsts.values())


def judge(
    items: Sequence[Item],
    firsts: Sequence[Item],
    known: Mapping[Any, Hashable],
    identity_of: Callable[[Item], Hashable],
) -> Judged[Item]:
    """Sort the items, given the batch's first of each key and the identities of stored ones.

    What copies have in common, and impostors have not, is asked only where a key is there twice.
    """
    fresh = [item for item in firsts if item.key not in known] if known else firsts
    if len(fresh) == len(items):
        return Judged(fresh, (), ())
    chosen = {item.key: item for item in fresh}
    duplicates: list[Item] = []
    conflicts: list[Item] = []
    for item in items:
        original = chosen.get(item.key)
        if original is item:
            continue
        wanted = known[item.key] if original is None else identity_of(original)
        (duplicates if identity_of(item) == wanted else conflicts).append(item)
    return Judged(fresh, duplicates, conflicts)
