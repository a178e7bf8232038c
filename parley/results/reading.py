"""Reads verdicts, and segments with all that was decided about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from parley.db.pool import Pool
from parley.db.sql import load

SQL: Final = load(__package__)

Row = Mapping[str, Any]

# What only serves to find it.
_PLUMBING: Final = frozenset(("key", "tenant_id"))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which verdicts: None leaves it open.

    Current ones are those of segments as they stand.
    """

    tenant_id: str
    conversation_id: str | None = None
    segment_id: str | None = None
    pass_name: str | None = None
    pass_version: int | None = None
    since: datetime | None = None
    is_current: bool | None = True


@dataclass(frozen=True, slots=True)
class Behind:
    """A place in the order of verdicts: behind the one that was made then, with this key."""

    ended_at: datetime
    key: str


async def verdicts(
    pool: Pool, wanted: Wanted, limit: int, after: Behind | None = None
) -> list[Row]:
    """Up to `limit` verdicts, the newest first."""
    rows: list[Row] = await pool.fetch(SQL["verdicts"], *verdict_arguments(wanted, limit, after))
    return rows


def verdict_arguments(wanted: Wanted, limit: int, after: Behind | None) -> tuple[Any, ...]:
    """The parameters of the query `verdicts`, for who runs it by other means."""
    return (
        wanted.tenant_id,
        wanted.conversation_id,
        wanted.segment_id,
        wanted.pass_name,
        wanted.pass_version,
        wanted.since,
        wanted.is_current,
        after and after.ended_at,
        after and after.key,
        limit,
    )


def as_verdict(row: Row) -> dict[str, Any]:
    """A verdict with all that is known of it, as plain data: hashes are in hexadecimal."""
    return {**as_told(row), "output": _parsed(row["output"])}


def _parsed(text: str) -> Any:
    """The value, or the text itself where a number in it is too large for most who read it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def as_told(row: Row) -> dict[str, Any]:
    """The same with the result as it is written in the table, for who writes it as JSON again."""
    found = dict(_plain(name, one) for name, one in row.items() if name not in _PLUMBING)
    return {**found, "output": orjson.Fragment(row["output"])}


def _plain(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, bytes):
        return name, value.hex()
    if isinstance(value, timedelta):
        return f"{name}_seconds", value.total_seconds()
    return name, str(value) if name.endswith("_id") and value is not None else value
