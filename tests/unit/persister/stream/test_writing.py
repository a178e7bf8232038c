"""How the records that a table refuses are found."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

import asyncpg
import pytest

from services.persister.core.judging import Judged
from services.persister.core.rows import Place
from services.persister.store.copying import NotEncodable
from services.persister.stream.writing import write_or_bisect
from tests.unit.persister.samples import place


class Item(NamedTuple):
    """A record's worth of something."""

    key: int

    @property
    def identity(self) -> str:
        return "same"

    @property
    def place(self) -> Place:
        return place(self.key)


class FakeConnection:
    """Savepoints that undo what the tables took within them."""

    def __init__(self) -> None:
        self.rows: list[int] = []

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        before = list(self.rows)
        try:
            yield
        except BaseException:
            self.rows = before
            raise


class PickyTables:
    """Takes everything but some keys."""

    def __init__(self, *refused: int, error: type[Exception] = asyncpg.CheckViolationError) -> None:
        self._refused = refused
        self._error = error
        self.writes = 0

    async def write(self, connection: FakeConnection, items: Sequence[Item]) -> Judged[Item]:
        self.writes += 1
        for item in items:
            if item.key in self._refused:
                raise self._error("no")
            connection.rows.append(item.key)
        return Judged(items, (), ())


ITEMS = [Item(key) for key in range(100)]


async def test_a_batch_that_is_taken_is_written_at_once() -> None:
    connection, tables = FakeConnection(), PickyTables()
    written = await write_or_bisect(connection, tables, ITEMS)
    assert (written.stored_count, written.refused, tables.writes) == (100, (), 1)


async def test_only_what_is_refused_is_left_out() -> None:
    connection, tables = FakeConnection(), PickyTables(13, 14, 99)
    written = await write_or_bisect(connection, tables, ITEMS)
    assert [one.item.key for one in written.refused] == [13, 14, 99]
    assert {one.detail for one in written.refused} == {"CheckViolationError"}
    assert connection.rows == [key for key in range(100) if key not in (13, 14, 99)]
    assert written.stored_count == 97


async def test_an_error_that_is_no_records_fault_is_not_put_on_one() -> None:
    for error in (asyncpg.UndefinedTableError, asyncpg.DeadlockDetectedError, OSError):
        with pytest.raises(error):
            await write_or_bisect(FakeConnection(), PickyTables(13, error=error), ITEMS)


async def test_an_empty_batch_asks_nothing() -> None:
    tables = PickyTables()
    await write_or_bisect(FakeConnection(), tables, [])
    assert tables.writes == 0


async def test_what_the_driver_cannot_encode_is_refused_like_what_a_table_does_not_take() -> None:
    connection, tables = FakeConnection(), PickyTables(13, error=NotEncodable)
    written = await write_or_bisect(connection, tables, ITEMS)
    assert [(one.item.key, one.detail) for one in written.refused] == [(13, "NotEncodable")]
    assert written.stored_count == 99
