"""Whole tables as text, positions included: two views of the same log are equal row by row."""

from typing import Any

from parley.db.schema import HOUSEKEEPING, config, metadata

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
