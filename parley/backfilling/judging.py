"""Asks the tables how pairs of a segment's revision and a pass stand."""

from collections.abc import Sequence
from typing import Any, Final

from parley.backfilling.core import WANTED, Known, Pair, Standing, standing_of
from parley.db.pool import Connection, Pool
from parley.db.sql import load

_SQL: Final = load(__package__)


async def judge(
    tables: Connection | Pool, pairs: Sequence[Pair], run_id: str
) -> list[tuple[Pair, Standing]]:
    """Where each pair stands; of one that is wanted twice, the second is counted nowhere."""
    if not pairs:
        return []
    columns = list(zip(*(key_of(pair) for pair in pairs), strict=True))
    rows = await tables.fetch(_SQL["judge"], *columns)
    judged: list[tuple[Pair, Standing]] = []
    wanted: set[tuple[Any, ...]] = set()
    for pair, row in zip(pairs, rows, strict=True):
        standing = standing_of(pair, Known(**row), run_id)
        if standing in WANTED:
            key = key_of(pair)
            standing = Standing.OWN if key in wanted else standing
            wanted.add(key)
        judged.append((pair, standing))
    return judged


def key_of(pair: Pair) -> tuple[str, str, int, str, int]:
    """The key of the pair's job."""
    sealed, one = pair.sealed, pair.one
    return sealed.tenant_id, sealed.segment_id, sealed.revision, one.name, one.version
