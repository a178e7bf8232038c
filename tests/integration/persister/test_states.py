"""The states that the persister stores are the fold of the log, however it came in batches."""

from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from parley.codec import decode_event
from parley.conversation_state import NEW, ConversationStatus, fold
from parley.events import ConversationState, Event, PreferencesChanged, StateRequested
from parley.settings import Settings
from parley.topics import Topic
from services.persister.store.copying import SQL
from services.persister.store.events import EventTables
from services.persister.stream.writing import write_or_bisect
from tests.integration.persister.reading import ledger
from tests.integration.persister.test_any_order import split, write
from tests.support.processes import ServiceProcess
from tests.support.publish import publish
from tests.support.topics import read_records
from tests.support.wait import eventually
from tests.unit.persister.samples import event, message, received

pytestmark = pytest.mark.integration

STATES = list(ConversationState)
# An ended conversation grants nothing until it is reopened.
RARELY_ENDED = [1 if one is ConversationState.ENDED else 9 for one in STATES]


def requests(chance: Random, count: int) -> list[Event]:
    """Requests in three conversations, some of them copies, between other events.

    Many copies come so late that their conversations have forgotten the first.
    """
    made: list[Event] = []
    for number in range(count):
        source, target = chance.choices(STATES, RARELY_ENDED, k=2)
        body = StateRequested(source, target)
        if number % 9 == 0:
            body = StateRequested(ConversationState.ENDED, ConversationState.IDLE, reopen=True)
        if made and chance.random() < 0.2:
            made.append(chance.choice(made[-200:]))
        else:
            made.append(event(f"r{number}", body, conversation_id=f"c{chance.randint(1, 3)}"))
        if number % 5 == 0:
            made.append(message(f"m{number}", conversation_id="c1"))
    return made


def folded(log: Iterable[Event]) -> tuple[dict[str, ConversationStatus], dict[str, bool]]:
    """Where each conversation stands after the log, and what became of each request."""
    statuses: dict[str, ConversationStatus] = {}
    granted: dict[str, bool] = {}
    for one in log:
        if isinstance(one.body, StateRequested):
            key = one.conversation_id
            statuses[key], is_granted = fold(statuses.get(key, NEW), one.event_id, one.body)
            granted.setdefault(one.event_id, is_granted)
    return statuses, granted


async def assert_stored_as_folded(pool: Any, log: Iterable[Event]) -> None:
    """Compare the tables with the fold of the log."""
    statuses, granted = folded(log)
    rows = await pool.fetch("SELECT conversation_id, state, state_judged FROM conversations")
    assert {
        row["conversation_id"]: ConversationStatus(
            ConversationState(row["state"]), tuple(row["state_judged"])
        )
        for row in rows
    } == statuses
    stored = await pool.fetch(
        "SELECT event_id::text, is_granted FROM conversation_events WHERE kind = 'state_requested'"
    )
    assert {row["event_id"]: row["is_granted"] for row in stored} == granted
    assert len(granted) / 10 < sum(granted.values()) < len(granted)
    others = "SELECT count(is_granted) FROM conversation_events WHERE kind <> 'state_requested'"
    assert await pool.fetchval(others) == 0


async def test_two_thousand_requests_in_batches_of_any_size_end_as_one_fold(pool: Any) -> None:
    chance = Random(7)
    log = requests(chance, 2_000)
    for batch in split(chance, received(log)):
        await write(pool, batch)
    await assert_stored_as_folded(pool, log)


@pytest.mark.long
async def test_kill_9_in_the_middle_gives_the_fold_of_the_log(
    settings: Settings, pool: Any
) -> None:
    log = requests(Random(11), 2_000)
    await publish(settings, log)
    read: list[int] = []

    async def goes_on() -> bool:
        consumed = (await ledger(pool, settings, Topic.EVENTS)).consumed
        if consumed <= (read[-1] if read else 0):
            return False
        read.append(consumed)
        return True

    async def is_done() -> bool:
        return (await ledger(pool, settings, Topic.EVENTS)).consumed == len(log)

    # Small batches, so that there is a middle.
    with ServiceProcess("persister", settings, PARLEY_PERSISTER_BATCH_RECORDS="5") as persister:
        for _ in range(3):
            await eventually(goes_on, timeout=60, every=0.01)
            persister.kill()
            persister.start(wait=False)
        await eventually(is_done, timeout=60)
    assert read[-1] < len(log)
    in_order = [decode_event(one) for one in await read_records(settings, Topic.EVENTS)]
    await assert_stored_as_folded(pool, in_order)
    last = await pool.fetch(
        """
        SELECT c.state_offset >= max(e.log_offset) AS is_last FROM conversations c
          JOIN conversation_events e USING (tenant_id, conversation_id)
         WHERE e.kind = 'state_requested' GROUP BY c.tenant_id, c.conversation_id
        """
    )
    assert [row["is_last"] for row in last] == [True] * 3


async def test_a_batch_that_is_halved_is_folded_in_order_without_what_was_refused(
    pool: Any,
) -> None:
    log = requests(Random(13), 300)
    asked = [one.event_id for one in log if isinstance(one.body, StateRequested)]
    bad = {asked[40], asked[170]}
    names = ", ".join(f"'{one}'" for one in sorted(bad))
    await pool.execute(
        f"ALTER TABLE conversation_events ADD CONSTRAINT picky CHECK (event_id NOT IN ({names}))"
    )
    async with pool.acquire() as connection, connection.transaction():
        written = await write_or_bisect(connection, EventTables(), received(log))
    assert {one.item.event_id for one in written.refused} == bad
    await assert_stored_as_folded(pool, [one for one in log if one.event_id not in bad])


async def test_a_copy_at_the_same_offset_elsewhere_does_not_rewrite_what_was_decided(
    pool: Any,
) -> None:
    request = event(1, StateRequested(ConversationState.IDLE, ConversationState.LISTENING))
    (first,) = received([request])
    again = [
        first._replace(place=first.place._replace(incarnation="later")),
        first._replace(place=first.place._replace(partition=1)),
    ]
    for copy in (first, *again):
        await write(pool, [copy])
    assert await pool.fetchval("SELECT is_granted FROM conversation_events") is True


async def test_an_import_changes_no_state(pool: Any) -> None:
    body = StateRequested(ConversationState.IDLE, ConversationState.LISTENING)
    await write(pool, received([event(1, body, import_id="i")]))
    assert await pool.fetchval("SELECT state FROM conversations") == "idle"
    assert await pool.fetchval("SELECT is_granted FROM conversation_events") is None


async def test_a_batch_without_requests_asks_for_no_states(pool: Any) -> None:
    body = StateRequested(ConversationState.IDLE, ConversationState.LISTENING)
    batches = [received([message(1)]), received([event(2, body)], 1)]
    asked: list[int] = []
    for batch in batches:
        queries: list[str] = []
        async with pool.acquire() as connection, connection.transaction():
            with connection.query_logger(lambda one, seen=queries: seen.append(one.query)):
                await EventTables().write(connection, batch)
        asked.append(sum(SQL[name] in queries for name in ("states", "save_state", "save_grants")))
    assert asked == [0, 3]


async def test_a_users_latest_preferences_count_in_whichever_order_they_are_read(
    pool: Any,
) -> None:
    stated = [
        event(
            number,
            PreferencesChanged(f"p{number}", "en", "v", '{"a": 1}'),
            minutes,
            conversation_id="preferences:ada",
            session_id="",
            user_id="ada",
        )
        for number, minutes in ((1, 10), (2, 30), (3, 20))
    ]
    await write(pool, received(stated[:2]))
    await write(pool, received(stated[2:], 2))
    row = await pool.fetchrow("SELECT personality, free::text FROM user_preferences")
    assert tuple(row) == ("p2", '{"a": 1}')
    assert await pool.fetchval("SELECT count(*) FROM conversations") == 0
    assert await pool.fetchval("SELECT count(*) FROM conversation_events") == 3
