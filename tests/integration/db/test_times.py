"""Times that go to PostgreSQL and come back, beside what the driver itself makes of them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import asyncpg
import pytest

from parley.db.times import carry_times
from parley.settings import Settings

pytestmark = pytest.mark.integration

NOON = datetime(2026, 3, 1, 12, 30, 15, 999_999, UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST, LAST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
CHANGE = datetime(2000, 1, 1, tzinfo=UTC)
TIMES = [NOON, CHANGE, CHANGE - MICROSECOND, CHANGE + MICROSECOND]
TIMES += [FIRST + MICROSECOND, LAST - MICROSECOND]


@pytest.fixture
async def connections(settings: Settings) -> AsyncIterator[tuple[Any, Any]]:
    """One that carries times our way, and one as the driver gives it."""
    url = settings.database_url.get_secret_value()
    ours, plain = await asyncpg.connect(url), await asyncpg.connect(url)
    await carry_times(ours)
    yield ours, plain
    await ours.close()
    await plain.close()


async def test_times_are_written_and_read_as_the_driver_does(connections: Any) -> None:
    for writing in connections:
        await writing.execute("CREATE TABLE IF NOT EXISTS moments (at timestamptz)")
        await writing.copy_records_to_table("moments", records=[(one,) for one in TIMES])
        await writing.executemany("INSERT INTO moments VALUES ($1)", [(one,) for one in TIMES])
        for reading in connections:
            rows = await reading.fetch("SELECT at FROM moments")
            assert [row["at"] for row in rows] == TIMES * 2
            assert {row["at"].tzinfo for row in rows} == {UTC}
        await writing.execute("DELETE FROM moments")


async def test_the_first_and_the_last_moment_come_back(connections: Any) -> None:
    # The driver writes them as infinities, and reads those as times without a zone.
    ours, _ = connections
    for moment in (FIRST, LAST):
        assert await ours.fetchval("SELECT $1::timestamptz", moment) == moment


async def test_a_time_of_another_zone_is_the_same_moment(connections: Any) -> None:
    ours, _ = connections
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert await ours.fetchval("SELECT $1::timestamptz", east) == NOON


async def test_arrays_and_nulls_are_carried_too(connections: Any) -> None:
    ours, _ = connections
    assert await ours.fetchval("SELECT $1::timestamptz[]", [NOON, None]) == [NOON, None]
    assert await ours.fetchval("SELECT $1::timestamptz", None) is None


async def test_what_never_comes_compares_with_other_times(connections: Any) -> None:
    # The driver itself leaves out the zone. A backfill that is paused has such jobs.
    ours, _ = connections
    assert await ours.fetchval("SELECT 'infinity'::timestamptz") == LAST
    assert await ours.fetchval("SELECT '-infinity'::timestamptz") == FIRST


@pytest.mark.parametrize("text", ["20000-01-01", "0044-03-15 BC"])
async def test_what_python_cannot_hold_is_an_error(connections: Any, text: str) -> None:
    for connection in connections:
        with pytest.raises(OverflowError):
            await connection.fetchval(f"SELECT '{text}'::timestamptz")


async def test_a_time_without_a_zone_is_refused(connections: Any) -> None:
    ours, _ = connections
    with pytest.raises(asyncpg.DataError):
        await ours.fetchval("SELECT $1::timestamptz", NOON.replace(tzinfo=None))
