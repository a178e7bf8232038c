"""Rows for tests of reading: what a test does not care about is filled in."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Column, Table
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID

AT: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
_NEUTRAL: Final = {
    **{str: "", int: 0, bool: False, bytes: b""},
    **{datetime: AT, timedelta: timedelta(0)},
}


async def insert(pool: Any, table: Table, **values: Any) -> None:
    """Insert a row of the tenant `default`, in the conversation `c`, unless it says otherwise."""
    given = {"tenant_id": "default", "conversation_id": "c", **values}
    filled = {column.name: _neutral(column) for column in table.columns if _must_be_given(column)}
    row = filled | {name: value for name, value in given.items() if name in table.columns}
    places = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    names = ", ".join(f'"{name}"' for name in row)
    await pool.execute(
        f"INSERT INTO {table.fullname} ({names}) VALUES ({places})",  # noqa: S608 - our own names
        *row.values(),
    )


def _must_be_given(column: Column[Any]) -> bool:
    is_made = column.server_default is not None or column.computed is not None
    return not (column.nullable or is_made or column.identity is not None)


def _neutral(column: Column[Any]) -> Any:
    if isinstance(column.type, JSONB):
        return "{}"
    if isinstance(column.type, ARRAY):
        return []
    if isinstance(column.type, UUID):
        return "00000000-0000-0000-0000-000000000000"
    return _NEUTRAL[column.type.python_type]
