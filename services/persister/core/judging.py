"""Decides which records are new, which are known, and which only pretend to be known."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar


class Keyed(Protocol):
    """Something of which there may be one; `identity` tells a copy from an impostor."""

    @property
    def key(self) -> Hashable:
        """What must be unique."""

    @property
    def identity(self) -> Hashable:
        """What copies have in common."""


Item = TypeVar("Item", bound=Keyed)


@dataclass(frozen=True, slots=True)
class Judged(Generic[Item]):
    """What became of a batch's items, each in the order of the log."""

    fresh: Sequence[Item]
    duplicates: Sequence[Item]
    conflicts: Sequence[Item]


def first_of_each(items: Iterable[Item]) -> list[Item]:
    """The lowest position of every key: of equal copies it wins."""
    firsts: dict[Hashable, Item] = {}
    for item in items:
        firsts.setdefault(item.key, item)
    return list(firsts.values())


def judge(
    items: Sequence[Item], firsts: Sequence[Item], known: Mapping[Any, Hashable]
) -> Judged[Item]:
    """Sort the items, given the batch's first of each key and the identities of stored ones."""
    fresh = [item for item in firsts if item.key not in known]
    if len(fresh) == len(items):
        return Judged(fresh, (), ())
    identities = dict(known) | {item.key: item.identity for item in fresh}
    chosen = set(map(id, fresh))
    rest = [item for item in items if id(item) not in chosen]
    duplicates = [item for item in rest if item.identity == identities[item.key]]
    conflicts = [item for item in rest if item.identity != identities[item.key]]
    return Judged(fresh, duplicates, conflicts)
