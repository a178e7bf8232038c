"""Compares two views of the same log, table by table, and names the rows that differ.

Each side adds up hashes of its rows in thousands of buckets, by the hash of a row's key; only the
rows of buckets that differ are read one by one. So nothing is sorted, and neither memory nor the
network carries more than those.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Table

from parley.db.pool import Connection
from parley.db.schema import HOUSEKEEPING, metadata
from parley.rebuilding import shadow

TABLES: Final = tuple(
    table
    for table in metadata.sorted_tables
    if table.schema is None and table.name in shadow.TABLES and table.name not in HOUSEKEEPING
)
# When this database wrote the row; the log does not say it.
NOT_COMPARED: Final = frozenset({"created_at"})
POSITION: Final = frozenset({"incarnation", "partition", "log_offset"})
ROWS_A_BUCKET: Final = 250
FEWEST_BUCKETS: Final = 1_024
BUCKETS_AT_A_TIME: Final = 16

Row = tuple[str | None, ...]
"""A row by the digests of its columns."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A row that the log does not give like that: by its key, never by what it says.

    `kind` is what is wrong with the live table: a missing, an added, an edited row, or one that
    names another position in the log.
    """

    kind: str
    table: str
    row: str
    columns: str


@dataclass(frozen=True, slots=True)
class _Queries:
    table: Table
    buckets: int

    @property
    def columns(self) -> list[str]:
        return [one.name for one in self.table.columns if one.name not in NOT_COMPARED]

    @property
    def keys(self) -> list[str]:
        return [one.name for one in self.table.primary_key.columns]

    def sums(self) -> str:
        """What each bucket holds: how many rows, and the sum of their hashes."""
        whole = f"ROW({', '.join(self.columns)})::text"
        return (
            f"SELECT {self._bucket()} AS bucket, count(*) AS rows,"  # noqa: S608 - names of ours
            f" sum(hashtextextended({whole}, 0)::numeric) AS hashes"
            f" FROM {self.table.name} GROUP BY 1"
        )

    def rows(self) -> str:
        """The rows of some buckets, by key, as digests."""
        digests = ", ".join(f"md5({one}::text)" for one in self.columns)
        keys = ", ".join(f"{one}::text" for one in self.keys)
        return (
            f"SELECT ARRAY[{keys}] AS key, ARRAY[{digests}] AS digests"  # noqa: S608 - as above
            f" FROM {self.table.name} WHERE {self._bucket()} = ANY($1::int[])"
        )

    def _bucket(self) -> str:
        key = ", ".join(f"{one}::text" for one in self.keys)
        return f"(hashtextextended(concat_ws(chr(31), {key}), 0) & {self.buckets - 1})::int"


async def differences(
    live: Connection,
    replayed: Connection,
    limit: int,
    compared: Callable[[Table], None],
    tables: Sequence[Table] = TABLES,
) -> list[Difference]:
    """The first differences of each table, at most `limit` a table."""
    found: list[Difference] = []
    for table in tables:
        found += await _differences_of(table, live, replayed, limit)
        compared(table)
    return found


async def _differences_of(
    table: Table, live: Connection, replayed: Connection, limit: int
) -> list[Difference]:
    queries = _Queries(table, await _bucket_count(table, replayed))
    mine, right = await asyncio.gather(_sums(live, queries), _sums(replayed, queries))
    differing = sorted(
        bucket for bucket in mine.keys() | right.keys() if mine.get(bucket) != right.get(bucket)
    )
    found: list[Difference] = []
    for first in range(0, len(differing), BUCKETS_AT_A_TIME):
        some = differing[first : first + BUCKETS_AT_A_TIME]
        rows = await asyncio.gather(_rows(live, queries, some), _rows(replayed, queries, some))
        found += _compare(queries, *rows)
        if len(found) >= limit:
            break
    return found[:limit]


async def _bucket_count(table: Table, connection: Connection) -> int:
    """A power of two, so that a bucket holds some hundred rows."""
    rows: int = await connection.fetchval(
        f"SELECT count(*) FROM {table.name}"  # noqa: S608 - a name of ours
    )
    return max(FEWEST_BUCKETS, 1 << (rows // ROWS_A_BUCKET).bit_length())


async def _sums(connection: Connection, queries: _Queries) -> dict[int, tuple[int, Any]]:
    rows = await connection.fetch(queries.sums())
    return {row["bucket"]: (row["rows"], row["hashes"]) for row in rows}


async def _rows(
    connection: Connection, queries: _Queries, buckets: Sequence[int]
) -> dict[tuple[str, ...], Row]:
    rows = await connection.fetch(queries.rows(), buckets)
    return {tuple(row["key"]): tuple(row["digests"]) for row in rows}


def _compare(
    queries: _Queries,
    live: Mapping[tuple[str, ...], Row],
    replayed: Mapping[tuple[str, ...], Row],
) -> Iterator[Difference]:
    for key in sorted(live.keys() | replayed.keys()):
        mine, right = live.get(key), replayed.get(key)
        if mine == right:
            continue
        named = ", ".join(f"{name}={value}" for name, value in zip(queries.keys, key, strict=True))
        if mine is None or right is None:
            kind = "missing row" if mine is None else "added row"
            yield Difference(kind, queries.table.name, named, "")
            continue
        columns = [
            name
            for name, one, other in zip(queries.columns, mine, right, strict=True)
            if one != other
        ]
        kind = "other position" if POSITION.issuperset(columns) else "edited row"
        yield Difference(kind, queries.table.name, named, ", ".join(columns))
