"""Writes a batch's items, and finds the ones that a table refuses by halving."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

import asyncpg

from parley.db.pool import Connection
from services.persister.core.judging import Judged, Keyed
from services.persister.core.rows import Place
from services.persister.store.copying import NotEncodable

# Data exceptions, violated constraints, and limits of a value: the record's fault. Any other
# error of the database is ours or passes by itself, and no record's.
_REFUSALS: Final = ("22", "23", "54")


class Placed(Keyed, Protocol):
    """An item that knows its record's place."""

    @property
    def place(self) -> Place:
        """Where its record lies."""


Item = TypeVar("Item", bound=Placed)


class Tables(Protocol[Item]):
    """The tables that one topic fills."""

    async def write(self, connection: Connection, items: Sequence[Item]) -> Judged[Item]:
        """Write what is new, within the caller's transaction."""


@dataclass(frozen=True, slots=True)
class Refused(Generic[Item]):
    """An item that a table does not take; `detail` names the error, never the content."""

    item: Item
    detail: str


@dataclass(frozen=True, slots=True)
class Written(Generic[Item]):
    """What became of a batch's items."""

    stored_count: int
    duplicates: tuple[Item, ...]
    conflicts: tuple[Item, ...]
    refused: tuple[Refused[Item], ...]

    def __add__(self, other: "Written[Item]") -> "Written[Item]":
        return Written(
            self.stored_count + other.stored_count,
            self.duplicates + other.duplicates,
            self.conflicts + other.conflicts,
            self.refused + other.refused,
        )


def _is_refusal(error: asyncpg.PostgresError | NotEncodable) -> bool:
    return isinstance(error, NotEncodable) or str(error.sqlstate or "").startswith(_REFUSALS)


async def write_or_bisect(
    connection: Connection, tables: Tables[Item], items: Sequence[Item]
) -> Written[Item]:
    """Write all items but those that a table refuses; the caller's transaction stays usable."""
    if not items:
        return Written(0, (), (), ())
    try:
        # Within a transaction this is a savepoint.
        async with connection.transaction():
            judged = await tables.write(connection, items)
    except (asyncpg.PostgresError, NotEncodable) as error:
        if not _is_refusal(error):
            raise
        if len(items) == 1:
            return Written(0, (), (), (Refused(items[0], type(error).__name__),))
    else:
        duplicates, conflicts = tuple(judged.duplicates), tuple(judged.conflicts)
        return Written(len(judged.fresh), duplicates, conflicts, ())
    middle = len(items) // 2
    former = await write_or_bisect(connection, tables, items[:middle])
    return former + await write_or_bisect(connection, tables, items[middle:])
