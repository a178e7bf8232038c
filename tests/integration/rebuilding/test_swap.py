"""The swap by itself: while it goes on nobody moves; where somebody has, it does not happen."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from parley.codec.record import SOURCE_POSITION
from parley.db import fence
from parley.db.fence import Fence, FenceHeld, FenceKey, Tail
from parley.db.headers import headers_to_json
from parley.db.outbox import enqueue
from parley.events import Content, MessageRecorded, Role
from parley.position import Position
from parley.rebuilding import shadow
from parley.rebuilding import swap as swapping
from parley.rebuilding.replaying import patient
from parley.rebuilding.swap import FencesMoved, as_fences, drop_former, held, swap
from parley.settings import Settings
from tests.integration.rebuilding.test_rebuild import rebuild
from tests.support.publish import event, outgoing
from tests.support.wait import eventually
from tests.unit.persister.samples import at

pytestmark = pytest.mark.integration

SHADOW = "parley_rebuild"
HELLO = MessageRecorded(Role.USER, Content("hello"))
KEY = FenceKey("persister", "events", 0)
TAIL = Tail(at(0), 1)
FORMER_IS_THERE = f"SELECT to_regnamespace('{swapping.FORMER}') IS NOT NULL"


@pytest.fixture
async def claimed(tables: Any) -> Fence:
    """A fence that somebody owns."""
    return await fence.claim(tables, KEY, "first", "me")


@pytest.fixture
async def connection(tables: Any) -> AsyncIterator[Any]:
    """Somebody with a shadow that is ready."""
    async with tables.acquire() as made:
        await shadow.prepare(made, SHADOW, "this test", is_anew=True)
        yield made


async def move(tables: Any, owned: Fence) -> None:
    async with tables.acquire() as writer, writer.transaction():
        await fence.advance(writer, owned, owned.next_offset + 1, TAIL)


async def is_there(tables: Any, owned: Fence) -> bool:
    return bool(await tables.fetchval("SELECT owner_epoch FROM fences") == owned.owner_epoch)


async def test_a_fence_that_moved_since_it_was_read_stops_the_swap(
    tables: Any, claimed: Fence, connection: Any
) -> None:
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    await move(tables, claimed)
    with pytest.raises(FencesMoved):
        await swap(connection, SHADOW, ["persister"], expected)
    assert await is_there(tables, claimed)


async def test_what_was_decided_and_not_published_stops_the_swap(
    tables: Any, migrated: Settings, claimed: Fence, connection: Any
) -> None:
    async with tables.acquire() as writer:
        await enqueue(writer, KEY, [outgoing(migrated, event("c", HELLO))])
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    with pytest.raises(FencesMoved):
        await swap(connection, SHADOW, ["persister"], expected)
    assert await is_there(tables, claimed)


async def test_while_fences_are_held_nobody_moves_or_claims_one(
    tables: Any, claimed: Fence
) -> None:
    async with held(tables) as fences:
        with pytest.raises(FenceHeld):
            await move(tables, claimed)
        with pytest.raises(FenceHeld):
            await fence.claim(tables, KEY, "first", "another")
        assert as_fences(await tables.fetch("SELECT * FROM fences")) == fences
    again = await fence.claim(tables, KEY, "first", "me")
    await move(tables, again)


INSERT_LETTER = """
INSERT INTO {schema}.dead_letters (service, topic, incarnation, partition, log_offset, reason,
                                   detail, append_time, headers, discarded_why)
VALUES ('persister', $1, $2, 0, $3, 'protobuf', '', now(), $4::jsonb, $5)
"""


async def test_dead_letters_that_no_replay_finds_again_stay(tables: Any, connection: Any) -> None:
    copied = headers_to_json(((SOURCE_POSITION, str(Position("old", 0, 3)).encode()),))
    live = INSERT_LETTER.format(schema="public")
    await tables.execute(live, "config", "c", 3, "[]", "of another consumer")
    await tables.execute(live, "events-1", "old", 3, "[]", "copied, and found again")
    await tables.execute(live, "events-1", "old", 4, "[]", "copied, and a duplicate now")
    await tables.execute(live, "events", "new", 5, "[]", "found again")
    await tables.execute(live, "events", "new", 6, "[]", "not found again")
    replayed = INSERT_LETTER.format(schema=SHADOW)
    await connection.execute(replayed, "events", "new", 1, copied, None)
    await connection.execute(replayed, "events", "new", 5, "[]", None)
    await connection.execute(replayed, "events", "new", 7, "[]", None)
    await connection.execute(
        f"INSERT INTO {SHADOW}.fences (consumer, topic, partition, incarnation, next_offset,"  # noqa: S608
        " owner_epoch, owner) VALUES ('persister', 'events', 0, 'new', 9, 1, '')"
    )
    await swap(connection, SHADOW, ["persister"], {})
    rows = await tables.fetch("SELECT log_offset, discarded_why FROM dead_letters ORDER BY id")
    assert [tuple(row) for row in rows] == [
        (3, "of another consumer"),
        (3, "copied, and found again"),
        (4, "copied, and a duplicate now"),
        (5, "found again"),
        (7, None),
    ]


async def test_what_others_counted_comes_over_in_all_and_by_the_minute(
    tables: Any, connection: Any
) -> None:
    for table, more in (("ledger", ""), ("ledger_minutes", ", now()")):
        for consumer in ("persister", "persister-config"):
            await tables.execute(
                f"INSERT INTO {table} SELECT $1, 'topic', 'i', 0{more}, 4, 0, 1, 0",
                consumer,
            )
    await swap(connection, SHADOW, ["persister"], {})
    for table in ("ledger", "ledger_minutes"):
        rows = await tables.fetch(f"SELECT consumer, stored, dead_lettered FROM {table}")  # noqa: S608
        assert [tuple(row) for row in rows] == [("persister-config", 4, 1)]


@pytest.fixture
async def eager_autovacuum(tables: Any) -> AsyncIterator[None]:
    """A server whose autovacuum looks at its tables every second."""
    if not await tables.fetchval("SELECT usesuper FROM pg_user WHERE usename = current_user"):
        pytest.skip("only a superuser may set how often autovacuum looks")
    await tables.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
    await tables.execute("SELECT pg_reload_conf()")
    yield
    await tables.execute("ALTER SYSTEM RESET autovacuum_naptime")
    await tables.execute("SELECT pg_reload_conf()")


SLOWLY = """
ALTER TABLE {table} SET (autovacuum_vacuum_insert_threshold = 100,
                         autovacuum_vacuum_cost_limit = 1, autovacuum_vacuum_cost_delay = 100)
"""
MANY_LETTERS = """
INSERT INTO {schema}.dead_letters (service, topic, incarnation, partition, log_offset, reason,
                                   detail, append_time, headers)
SELECT 'persister', 'events', 'new', 0, number, 'protobuf', repeat('x', 500), now(), '[]'
  FROM generate_series(1, 20000) AS number
"""
VACUUMED = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = $1::text::regclass"


@pytest.mark.usefixtures("eager_autovacuum")
@pytest.mark.parametrize("schema", ["public", SHADOW])
async def test_autovacuum_gives_way_to_a_swap(tables: Any, connection: Any, schema: str) -> None:
    table = f"{schema}.dead_letters"
    await tables.execute(SLOWLY.format(table=table))
    await tables.execute(MANY_LETTERS.format(schema=schema))
    await eventually(lambda: tables.fetchval(VACUUMED, table))
    # It would take a minute and more, and a swap tries for 40 seconds.
    async with asyncio.timeout(20):
        await swap(connection, SHADOW, ["persister"], {})


PARAMETERS = "SELECT reloptions FROM pg_class WHERE oid = $1::text::regclass"


async def test_tables_are_not_vacuumed_for_new_rows_until_they_are_swapped_in(
    tables: Any, connection: Any
) -> None:
    own = {"outbox": ["fillfactor=70"], "ledger": ["autovacuum_vacuum_insert_threshold=5"]}
    for table, (parameter,) in own.items():
        await tables.execute(f"ALTER TABLE {table} SET ({parameter})")
    for table in shadow.TABLES:
        found = await tables.fetchval(PARAMETERS, f"{SHADOW}.{table}")
        assert found == ["autovacuum_vacuum_insert_threshold=-1"]
    expected = {one: await tables.fetchval(PARAMETERS, f"public.{one}") for one in shadow.TABLES}
    await swap(connection, SHADOW, [], {})
    found = {one: await tables.fetchval(PARAMETERS, f"public.{one}") for one in shadow.TABLES}
    assert found == expected
    assert found == expected | own


async def test_who_reads_new_rows_for_a_replay_hides_no_failure(
    tables: Any, connection: Any
) -> None:
    await tables.execute(f"DROP TABLE {SHADOW}.conversation_messages CASCADE")
    with pytest.raises(asyncpg.UndefinedTableError):
        async with shadow.settling(connection, SHADOW):
            await asyncio.sleep(0.5)


async def test_a_former_owner_is_fenced_out_by_a_swap(
    tables: Any, claimed: Fence, connection: Any
) -> None:
    expected = as_fences(await tables.fetch("SELECT * FROM fences"))
    # Nobody is replayed: every fence comes over as it is, but for its owner.
    await swap(connection, SHADOW, [], expected)
    with pytest.raises(fence.FenceLost):
        await move(tables, claimed)
    again = await fence.claim(tables, KEY, "first", "me")
    assert again.next_offset == claimed.next_offset


async def test_whoever_still_reads_the_replaced_tables_holds_up_nobody(
    tables: Any, migrated: Settings, connection: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swapping, "FORMER_ATTEMPTS", 2)
    await swap(connection, SHADOW, [], {})
    assert await tables.fetchval(FORMER_IS_THERE)
    # One without Parley's time limits.
    async with patient(migrated) as reader:
        async with reader.transaction():
            await reader.fetch(f"SELECT * FROM {swapping.FORMER}.conversations")  # noqa: S608
            async with asyncio.timeout(10):
                assert not await drop_former(connection)
            assert await tables.fetchval(FORMER_IS_THERE)
            # The next one does not begin, rather than find out while the services are held.
            assert swapping.FORMER in await rebuild(migrated, status=1)
        assert await drop_former(connection)
    assert not await tables.fetchval(FORMER_IS_THERE)
