"""Whole tables as text, positions included: two views of the same log are equal row by row."""

from typing import Any

from parley.db.schema import HOUSEKEEPING, config, metadata
from parley.rebuilding.shadow import TABLES

COMPARED = sorted(
    table.name
    for table in metadata.tables.values()
    if table.schema is None and table not in config.TABLES and table.name not in HOUSEKEEPING
)


async def dump(connection: Any, schema: str = "public") -> dict[str, list[str]]:
    """Every compared table, a line a row, without the moment at which the row was written."""
    return {
        table: [
            row[0]
            for row in await connection.fetch(
                # Names of ours.
                f"SELECT (to_jsonb(t) - 'created_at')::text FROM {schema}.{table} t ORDER BY 1"  # noqa: S608
            )
        ]
        for table in COMPARED
    }


def assert_equal(first: dict[str, list[str]], second: dict[str, list[str]]) -> None:
    """Fails naming the table and a few rows, rather than with two walls of text."""
    for table in COMPARED:
        one, other = set(first[table]), set(second[table])
        assert not one ^ other, (
            f"{table}: {len(one - other)} gone, {len(other - one)} come; "
            f"{sorted(one - other)[:2]} {sorted(other - one)[:2]}"
        )
        assert len(first[table]) == len(second[table])


_DEFINITIONS = """
SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), $1 || '.', '')
  FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
UNION ALL
SELECT c.relname, replace(pg_get_constraintdef(k.oid), $1 || '.', '')
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
 WHERE c.relnamespace = $1::text::regnamespace AND c.relname = ANY($2::text[])
"""


async def definitions(connection: Any, schema: str = "public") -> set[tuple[str, str]]:
    """The indexes and constraints of the tables that a replay fills."""
    return {tuple(row) for row in await connection.fetch(_DEFINITIONS, schema, list(TABLES))}
