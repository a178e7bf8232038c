"""Numbers in metadata: the rule of validity ends where PostgreSQL does."""

from typing import Any

import asyncpg
import pytest

from parley.codec import InvalidRecord
from parley.codec.validity import check_json_object

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("number", [f"0.{'1' * 16_383}", f"0.{'1' * 16_000}e-383", "1e308"])
async def test_what_is_valid_the_database_holds(pool: Any, number: str) -> None:
    check_json_object(f'{{"a":{number}}}')
    assert await pool.fetchval("SELECT $1::jsonb IS NOT NULL", f'{{"a":{number}}}')


@pytest.mark.parametrize("number", [f"0.{'1' * 16_384}", f"0.{'1' * 16_000}e-384"])
async def test_what_the_database_does_not_hold_is_not_valid(pool: Any, number: str) -> None:
    with pytest.raises(asyncpg.NumericValueOutOfRangeError):
        await pool.fetchval("SELECT $1::jsonb IS NOT NULL", f'{{"a":{number}}}')
    with pytest.raises(InvalidRecord):
        check_json_object(f'{{"a":{number}}}')
