"""The states that the persister stores are the fold of the log, however it came in batches."""

from random import Random
from typing import Any

import pytest

from parley.conversation_state import NEW, ConversationStatus, fold
from parley.events import ConversationState, Event, PreferencesChanged, StateRequested
from tests.integration.persister.test_any_order import split, write
from tests.unit.persister.samples import event, message, received

pytestmark = pytest.mark.integration

STATES = list(ConversationState)


def requests(chance: Random, count: int) -> list[Event]:
    """Requests in three conversations, some of them copies, between other events."""
    made: list[Event] = []
    for number in range(count):
        body = StateRequested(chance.choice(STATES), chance.choice(STATES), reopen=number % 9 == 0)
        if made and chance.random() < 0.2:
            made.append(chance.choice(made[-20:]))
        else:
            made.append(event(f"r{number}", body, conversation_id=f"c{chance.randint(1, 3)}"))
        if number % 5 == 0:
            made.append(message(f"m{number}", conversation_id="c1"))
    return made


async def test_two_thousand_requests_in_batches_of_any_size_end_as_one_fold(pool: Any) -> None:
    chance = Random(7)
    log = requests(chance, 2_000)
    statuses: dict[str, ConversationStatus] = {}
    granted: dict[str, bool] = {}
    for one in log:
        if isinstance(one.body, StateRequested):
            key = one.conversation_id
            statuses[key], is_granted = fold(statuses.get(key, NEW), one.event_id, one.body)
            granted.setdefault(one.event_id, is_granted)
    for batch in split(chance, received(log)):
        await write(pool, batch)
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
    assert 10 < sum(granted.values()) < len(granted)
    others = "SELECT count(is_granted) FROM conversation_events WHERE kind <> 'state_requested'"
    assert await pool.fetchval(others) == 0


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
