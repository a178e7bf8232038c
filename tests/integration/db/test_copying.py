"""Rows that go to PostgreSQL by our own writer, beside what the driver itself makes of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from pydantic import SecretStr

from parley.db import copying
from parley.db import pool as database
from parley.db.times import carry_times
from parley.settings import Settings
from tests.unit.codec.usual import compiled

pytestmark = [pytest.mark.integration, compiled]

TYPES = (
    *("text", "jsonb", "bytea", "uuid", "bool", "timestamptz", "int8", "int4", "interval"),
    "text[]",
)
COLUMNS = tuple(f"c{number}" for number in range(len(TYPES)))
ROWS = 2_500


@pytest.fixture
async def connection(settings: Settings) -> AsyncIterator[Any]:
    """One that has two tables with a column of each type."""
    made = await asyncpg.connect(settings.database_url.get_secret_value())
    await carry_times(made)
    columns = ", ".join(f"{name} {kind}" for name, kind in zip(COLUMNS, TYPES, strict=True))
    for table in ("ours", "theirs"):
        await made.execute(f"CREATE TABLE {table} (number serial, {columns})")
    yield made
    await made.close()


def a_row(chance: Random) -> tuple[Any, ...]:
    """Values at the edges of their types and between them, each also missing at times."""
    zone = chance.choice([UTC, timezone(timedelta(hours=5, minutes=30))])
    moment = datetime(2000, 1, 1, tzinfo=zone) + timedelta(
        microseconds=chance.randrange(-(10**16), 10**17)
    )
    edges = [0, -1, 1, 2**31 - 1, -(2**31), chance.randrange(-(2**31), 2**31)]
    words = ["", "a", "ü", "\U0001f600", "'", "\\N", "x" * chance.randrange(3_000)]
    text = chance.choice(words)
    values = (
        text,
        chance.choice(["{}", "null", '{"a": ["ü", 1.5]}', '"x"']),
        chance.randbytes(chance.randrange(40)),
        str(UUID(int=chance.getrandbits(128))),
        chance.random() < 0.5,
        chance.choice([moment, moment.replace(microsecond=0)]),
        chance.choice([*edges, 2**63 - 1, -(2**63)]),
        chance.choice(edges),
        timedelta(
            chance.randrange(-1_000, 1_000),
            chance.randrange(86_400),
            chance.randrange(1_000_000),
        ),
        chance.choice([list, tuple])(chance.choices(words, k=chance.randrange(4))),
    )
    return tuple(None if chance.random() < 0.1 else value for value in values)


async def test_rows_are_written_as_the_driver_writes_them(connection: Any) -> None:
    chance = Random(7)
    rows = [a_row(chance) for _ in range(ROWS)]
    await copying.copy_rows(connection, "ours", COLUMNS, rows)
    await connection.copy_records_to_table("theirs", records=rows, columns=COLUMNS)
    ours = await connection.fetch("SELECT * FROM ours ORDER BY number")
    assert len(ours) == ROWS
    assert ours == await connection.fetch("SELECT * FROM theirs ORDER BY number")


async def test_without_a_compiler_the_driver_writes_them(
    connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "rows_to_copy", None)
    row = a_row(Random(7))
    await copying.copy_rows(connection, "ours", COLUMNS, [row])
    assert await connection.fetchval("SELECT count(*) FROM ours") == 1


async def test_no_rows_are_no_error(connection: Any) -> None:
    await copying.copy_rows(connection, "ours", COLUMNS, [])
    assert await connection.fetchval("SELECT count(*) FROM ours") == 0


@pytest.mark.parametrize("wrong", ["\ud800", "no id"])
async def test_of_rows_with_one_that_cannot_be_written_none_is(connection: Any, wrong: str) -> None:
    columns, good = ("c0", "c3"), ("a", str(UUID(int=1)))
    bad = (wrong, wrong)
    async with connection.transaction():
        with pytest.raises(ValueError, match=r"UUID|surrogates"):
            async with connection.transaction():
                await copying.copy_rows(connection, "ours", columns, [*[good] * 1_500, bad])
        # The connection goes on, and so does the transaction.
        await copying.copy_rows(connection, "ours", columns, [good])
    assert await connection.fetchval("SELECT count(*) FROM ours") == 1


async def test_what_the_table_refuses_is_said_as_ever(connection: Any) -> None:
    with pytest.raises(asyncpg.CharacterNotInRepertoireError):
        await copying.copy_rows(connection, "ours", ("c0",), [("\0",)])
    await connection.execute("CREATE UNIQUE INDEX ON ours (c7)")
    row = (1,)
    assert await copying.copy_new_rows(connection, "ours", ("c7",), [row])
    assert not await copying.copy_new_rows(connection, "ours", ("c7",), [(2,), row])
    assert await connection.fetchval("SELECT count(*) FROM ours") == 1


async def test_texts_are_the_same_whatever_encoding_the_address_asks_for(
    connection: Any, settings: Settings
) -> None:
    url = f"{settings.database_url.get_secret_value()}?client_encoding=latin1"
    pool = await database.connect(settings.model_copy(update={"database_url": SecretStr(url)}))
    async with pool.acquire() as other:
        await copying.copy_rows(other, "ours", ("c0",), [("ü",)])
    await pool.close()
    assert await connection.fetchval("SELECT c0 FROM ours") == "ü"
