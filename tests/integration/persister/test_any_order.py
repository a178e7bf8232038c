"""Order, repetition and batches do not matter to the tables, shown on the real PostgreSQL."""

import asyncio
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from random import Random
from typing import Any

import pytest

from parley.events import EndReason, Event, MessageRecorded, MessageRevised, SessionEnded
from parley.seals import SessionSettled
from services.persister.core.rows import ReceivedEvent
from services.persister.core.segments import ReceivedSeal, ReceivedSegment, ReceivedSettlement
from services.persister.store.events import EventTables
from services.persister.store.seals import SealTables
from tests.integration.persister.reading import rows_of, view
from tests.unit.persister.samples import (
    at,
    event,
    message,
    place,
    random_events,
    random_settlements,
    received,
    retracts,
    sealed,
    settled,
)

pytestmark = pytest.mark.integration

SEEDS = int(os.environ.get("PARLEY_HYPOTHESIS_EXAMPLES", "30"))

Item = ReceivedEvent | ReceivedSeal


async def test_every_event_three_times_shuffled_gives_the_same_tables(pool: Any) -> None:
    for seed in range(SEEDS):
        await assert_order_does_not_matter(pool, seed)


async def assert_order_does_not_matter(pool: Any, seed: int) -> None:
    """Compare the tables of a log with those of the same, thrice and shuffled."""
    chance = Random(seed)
    events = random_events(chance, chance.randint(5, 60))
    settlements = random_settlements(chance, 5)
    once, thrice = f"once-{seed}", f"thrice-{seed}"
    await write(pool, of_tenant(once, events, settlements))
    shuffled = of_tenant(thrice, events * 3, settlements * 3)
    chance.shuffle(shuffled)
    for batch in split(chance, shuffled):
        await write(pool, batch)
    expected = await view(pool, once)
    assert await view(pool, thrice) == expected, f"seed {seed}"
    assert_right(events, expected)


def assert_right(events: Sequence[Event], tables: dict[str, list[dict[str, Any]]]) -> None:
    """Compare with what these events mean, worked out one by one."""
    sessions = {
        (row["session_id"], row["conversation_id"]): row for row in tables["conversation_sessions"]
    }
    messages = {one.event_id: one for one in events if isinstance(one.body, MessageRecorded)}
    assert {row["id"] for row in tables["conversation_messages"]} == messages.keys()
    for row in tables["conversation_messages"]:
        one = messages[row["id"]]
        session = sessions.get((one.session_id, one.conversation_id), {})
        assert bool(session) is bool(one.session_id)
        inherited = session.get("user_id")
        assert row["user_id"] == (one.user_id or inherited)
        assert (row["content"], row["content_version"]) == spoken(one, events)
    originals = {
        row["message_id"]: row["content"]
        for row in tables["message_versions"]
        if row["kind"] == "recorded"
    }
    assert originals == {
        row["id"]: text_of(messages[row["id"]])
        for row in tables["conversation_messages"]
        if row["content_version"]
    }
    counts = Counter((one.session_id, one.conversation_id) for one in messages.values())
    assert all(row["message_count"] == counts[name] for name, row in sessions.items())
    assert len(tables["conversation_events"]) == len(events)


def spoken(one: Event, events: Sequence[Event]) -> tuple[str, str | None]:
    """What a message says in the end, and by whose word."""
    revisions = [
        (other.event_time, other.event_id, other.body.content.text)
        for other in events
        if isinstance(other.body, MessageRevised)
        and other.body.target_event_id == one.event_id
        and other.conversation_id == one.conversation_id
    ]
    if not revisions:
        return text_of(one), None
    _, version, text = max(revisions)
    return text, version


def text_of(one: Event) -> str:
    """What a message was first recorded to say."""
    assert isinstance(one.body, MessageRecorded)
    return one.body.content.text


async def test_who_names_anothers_session_gets_none_of_its_messages(pool: Any) -> None:
    mallory: dict[str, Any] = {"conversation_id": "other", "user_id": "mallory"}
    events = [
        message(1, text="a secret"),
        message(2, **mallory),
        event(3, SessionEnded(2**61, EndReason.EXPLICIT), **mallory),
        message(4, text="another"),
    ]
    for order in permutations(events):
        await pool.execute("TRUNCATE conversation_events, conversation_sessions CASCADE")
        for offset, one in enumerate(order):
            await write(pool, received([one], offset))
        said = await pool.fetch("SELECT content, user_id FROM conversation_messages ORDER BY id")
        assert [row["user_id"] for row in said if row["content"] != "hello"] == [None, None]
        own = await pool.fetchrow("SELECT * FROM conversation_sessions WHERE conversation_id = 'c'")
        assert (own["user_id"], own["ended_at"], own["message_count"]) == (None, None, 2)


async def test_a_sessions_count_is_what_its_rows_say_and_no_sum(pool: Any) -> None:
    await write(pool, received([message(1), message(2)]))
    await pool.execute("UPDATE conversation_sessions SET message_count = 99")
    await write(pool, received([message(3)], 2))
    assert await pool.fetchval("SELECT message_count FROM conversation_sessions") == 3


async def test_seals_in_any_order_give_the_same_segments(pool: Any) -> None:
    seals = [
        sealed("1", 1),
        sealed("2", 1),
        sealed("3", 1),
        sealed("1", 2, retracts("2", 1, "1"), retracts("3", 1, "1")),
        sealed("2", 2),
        sealed("2", 3),
        sealed("1", 3, retracts("2", 3, "1")),
        sealed("3", 2),
    ]
    views = []
    for seed in range(SEEDS):
        chance = Random(seed)
        tenant = f"t{seed}"
        shuffled = seals * (seed % 2 + 1)
        chance.shuffle(shuffled)
        items = [ReceivedSegment(replace(one, tenant_id=tenant), place(0)) for one in shuffled]
        for batch in split(chance, items):
            await write(pool, batch)
        tables = ("segments", "segment_revisions")
        views.append([await rows_of(pool, table, tenant) for table in tables])
    assert all(one == views[0] for one in views)
    assert {row["message_count"]: row["is_retracted"] for row in views[0][0]} == {
        3: False,
        None: True,
        2: False,
    }


SECURED = """
SELECT oid::regclass::text FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
"""


async def test_a_login_whose_rights_depend_on_the_row_writes_the_same(pool: Any) -> None:
    chance = Random(5)
    events = random_events(chance, 60)
    shuffled = [*events, *chance.sample(events, 20)]
    await write(pool, of_tenant("free", shuffled, []))
    role = f"row_writer_{os.getpid()}"
    await pool.execute(f"CREATE ROLE {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    try:
        for (table,) in await pool.fetch(SECURED):
            await pool.execute(
                f"CREATE POLICY of_{role} ON {table} TO {role} USING (true) WITH CHECK (true)"
            )
        async with pool.acquire() as connection:
            # The temporary tables are their maker's.
            await connection.execute("DISCARD TEMP")
            async with connection.transaction():
                await connection.execute(f"SET LOCAL ROLE {role}")
                await EventTables().write(connection, received_of("bound", shuffled))
            await connection.execute("DISCARD TEMP")
    finally:
        await pool.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
    assert await view(pool, "bound") == await view(pool, "free")


async def test_writers_in_opposite_orders_never_stand_in_each_others_way(pool: Any) -> None:
    names = [f"{number:04}" for number in range(1000)]
    for round_number in range(4):
        forth = [told(name, f"forth {round_number}") for name in names]
        back = [told(name, f"back {round_number}") for name in reversed(names)]
        settlements = [replace(settled(0, round_number, one), conversation_id=one) for one in names]
        over = [ReceivedSettlement(one, place(0)) for one in settlements]
        await asyncio.gather(
            write(pool, received(forth)),
            write(pool, received(back)),
            write(pool, over),
            write(pool, over[::-1]),
        )
    row = await pool.fetchrow("SELECT sum(message_count), min(ended_at) FROM conversation_sessions")
    assert tuple(row) == (8000, at(3))


def told(name: str, text: str) -> Event:
    """A message in a conversation and a session of this name."""
    return message(f"{name} {text}", session_id=name, conversation_id=name)


def of_tenant(
    tenant: str, events: Sequence[Event], settlements: Sequence[SessionSettled]
) -> list[Item]:
    return [
        *received_of(tenant, events),
        *(ReceivedSettlement(replace(one, tenant_id=tenant), place(0)) for one in settlements),
    ]


def received_of(tenant: str, events: Sequence[Event]) -> list[ReceivedEvent]:
    return received([replace(one, tenant_id=tenant) for one in events])


def split(chance: Random, items: Sequence[Any]) -> list[Sequence[Any]]:
    """Batches of any sizes."""
    cuts = sorted(chance.sample(range(len(items) + 1), min(4, len(items))))
    borders = [0, *cuts, len(items)]
    return [items[first:last] for first, last in pairwise(borders)]


async def write(pool: Any, items: Sequence[Item]) -> None:
    """One transaction, as a batch is."""
    events = [one for one in items if isinstance(one, ReceivedEvent)]
    seals = [one for one in items if not isinstance(one, ReceivedEvent)]
    async with pool.acquire() as connection, connection.transaction():
        if events:
            await EventTables().write(connection, events)
        if seals:
            await SealTables().write(connection, seals)
