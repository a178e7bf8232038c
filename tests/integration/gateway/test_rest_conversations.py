"""Conversations over HTTP: created, listed, shown and ended, on the real log and tables."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest

from parley.db.schema.conversations import conversations
from parley.events import ConversationCreated, ConversationState, StateRequested
from parley.settings import Settings
from tests.integration.gateway.clients import logged, place
from tests.integration.gateway.rest import CONVERSATIONS, Program, program_of
from tests.integration.gateway.rows import AT, insert
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration


@pytest.fixture
async def program(gateway: ServiceProcess) -> AsyncIterator[Program]:
    async with program_of(gateway) as made:
        yield made


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


@pytest.mark.usefixtures("persister")
async def test_a_conversation_shows_the_facts_that_it_was_created_with(
    settings: Settings, program: Program
) -> None:
    facts = {
        "user_id": "u",
        "title": "A parcel",
        "personality": "patient",
        "channel": "chat",
        "metadata": {"order": "A-17", "nested": {"ü": [1, None]}},
    }
    created = await program.writes(CONVERSATIONS, {"id": "c", **facts})
    assert created["conversation_id"] == "c"
    [(where, event)] = await logged(settings, "c")
    assert where == place(created["position"])
    assert isinstance(event.body, ConversationCreated)
    assert (event.tenant_id, event.user_id, event.channel) == ("default", "u", "chat")
    shown = await program.reads(f"{CONVERSATIONS}/c", created)
    assert {name: shown[name] for name in facts} == facts
    assert (shown["state"], shown["status"], shown["is_active"]) == ("idle", "quiet", False)
    assert (shown["message_count"], shown["session_count"]) == (0, 0)
    again = await program.writes(CONVERSATIONS, {"id": "c", "title": "Found"})
    assert (await program.reads(f"{CONVERSATIONS}/c", again))["title"] == "Found"


@pytest.mark.usefixtures("persister")
async def test_the_same_key_of_the_same_client_creates_one_conversation(
    settings: Settings, program: Program
) -> None:
    mine = {"client_id": "shop", "title": "A parcel"}
    first, second = [await program.writes(CONVERSATIONS, mine, key="1") for _ in range(2)]
    assert first["conversation_id"] == second["conversation_id"]
    others = [
        await program.writes(CONVERSATIONS, mine, key="2"),
        await program.writes(CONVERSATIONS, {"client_id": "other"}, key="1"),
        await program.writes(CONVERSATIONS, mine),
        await program.writes(CONVERSATIONS, mine),
    ]
    ids = {one["conversation_id"] for one in (first, *others)}
    assert len(ids) == 5
    assert set(await program.lists(first, second, *others)) == ids
    copies = await logged(settings, first["conversation_id"])
    assert len({event.event_id for _, event in copies}) == 1
    named = [await program.writes(CONVERSATIONS, {"id": "c"}, key="1") for _ in range(2)]
    assert {one["conversation_id"] for one in named} == {"c"}
    assert len({event.event_id for _, event in await logged(settings, "c")}) == 1


@pytest.mark.usefixtures("persister")
async def test_the_list_finds_by_user_state_activity_and_text(program: Program) -> None:
    written = [
        await program.writes(CONVERSATIONS, {"id": "quiet-1", "user_id": "u", "title": "A Parcel"}),
        await program.writes(CONVERSATIONS, {"id": "busy", "user_id": "v"}),
        await program.writes(f"{CONVERSATIONS}/busy/sessions", {"user_id": "v"}),
        await program.writes(
            f"{CONVERSATIONS}/busy/messages", {"text": "99% Größe", "user_id": "v"}
        ),
        await program.writes(CONVERSATIONS, {"id": "over", "user_id": "u"}),
        await program.writes(f"{CONVERSATIONS}/over/end", method="PUT", status=200),
    ]
    assert await program.lists(*written) == ["over", "busy", "quiet-1"]
    assert await program.lists(user_id="u") == ["over", "quiet-1"]
    assert await program.lists(user_id="U") == []
    assert await program.lists(state="ended") == ["over"]
    assert await program.lists(state="idle") == ["busy", "quiet-1"]
    assert await program.lists(state="idle", user_id="u") == ["quiet-1"]
    assert await program.lists(is_active=True) == ["busy"]
    assert await program.lists(is_active=False) == ["over", "quiet-1"]
    assert await program.lists(text="parcel") == ["quiet-1"]
    assert await program.lists(text="größE") == ["busy"]
    assert await program.lists(text="UIET-") == ["quiet-1"]
    # Wildcards are letters like others.
    assert await program.lists(text="%") == ["busy"]
    assert await program.lists(text="_") == []
    assert await program.lists(text="\\") == []
    page = await program.reads(CONVERSATIONS)
    statuses = {one["conversation_id"]: one["status"] for one in page["conversations"]}
    assert statuses == {"quiet-1": "quiet", "busy": "active", "over": "ended"}


async def test_the_list_comes_page_by_page_the_last_active_first(
    pool: Any, program: Program
) -> None:
    # Two that were active at one moment: their ids decide.
    minutes = {"a": 3, "b": 1, "c": 2, "d": 2, "e": 4}
    for name, minute in minutes.items():
        await insert(
            pool,
            conversations,
            conversation_id=name,
            last_event_at=AT + timedelta(minutes=minute),
        )
    await insert(pool, conversations, tenant_id="other", conversation_id="foreign")
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while query.get("cursor", "") is not None:
        page = await program.reads(CONVERSATIONS, **query)
        assert len(page["conversations"]) <= 2
        found += [one["conversation_id"] for one in page["conversations"]]
        query["cursor"] = page["next_cursor"]
    assert found == ["e", "a", "c", "d", "b"]
    # A page that is just full is the last one.
    assert (await program.reads(CONVERSATIONS, limit=5))["next_cursor"] is None
    at_two = (AT + timedelta(minutes=2)).isoformat()
    assert await program.lists(active_since=at_two) == ["e", "a", "c", "d"]
    assert await program.lists(active_before=at_two) == ["b"]


async def test_another_tenants_conversation_is_as_if_it_were_not(
    pool: Any, program: Program
) -> None:
    await insert(pool, conversations, tenant_id="other", state="ended", title="secret")
    await program.is_refused(404, "not_found", f"{CONVERSATIONS}/c")
    assert await program.lists() == await program.lists(text="secret") == []
    assert (await program.reads("/api/conversations/c/state"))["state"] == "idle"
    await program.writes(f"{CONVERSATIONS}/c/messages", {"text": "hello"})


async def test_a_list_that_nobody_can_mean_is_refused(program: Program) -> None:
    wrong: list[dict[str, Any]] = [
        {"cursor": "x"},
        {"cursor": "\0"},
        {"cursor": "WzEsMl0"},
        {"limit": 0},
        {"limit": 201},
        {"limit": "1e9"},
        {"state": "asleep"},
        {"is_active": "perhaps"},
        {"active_since": "2026-01-31T12:00:00"},
        {"active_since": "9999-12-31T23:59:59-23:59"},
        {"active_before": "yesterday"},
        {"text": "x" * 1_000},
        {"text": "\0"},
        {"user_id": "a\0"},
    ]
    for query in wrong:
        problem = await program.is_refused(422, "invalid_request", CONVERSATIONS, params=query)
        assert [one["field"] for one in problem["errors"]] == [f"query.{name}" for name in query]


@pytest.mark.usefixtures("persister")
async def test_an_ended_conversation_takes_nothing_until_it_is_reopened(
    settings: Settings, program: Program
) -> None:
    messages = f"{CONVERSATIONS}/c/messages"
    await program.writes(messages, {"text": "hello", "id": "1"})
    end = f"{CONVERSATIONS}/c/end"
    ended = await program.writes(end, {"cause": "hung up"}, method="PUT", status=200)
    assert (ended["conversation_id"], ended["state"]) == ("c", "ended")
    again = await program.writes(end, {"client_id": "other"}, method="PUT", status=200)
    assert (again["state"], again["position"]) == ("ended", None)
    for path in (messages, "/api/conversations/c/transcript", "/api/conversations/c/ai-response"):
        await program.is_refused(
            409, "conversation_ended", path, "POST", json={"text": "hello", "id": "2"}
        )
    shown = await program.reads(f"{CONVERSATIONS}/c", ended)
    assert (shown["state"], shown["status"], shown["message_count"]) == ("ended", "ended", 1)
    where, event = (await logged(settings, "c"))[1]
    assert where == place(ended["position"])
    assert isinstance(event.body, StateRequested)
    assert (event.body.target, event.body.cause) == (ConversationState.ENDED, "hung up")
    reopening = {"state": "idle", "reopen": True}
    await program.writes("/api/conversations/c/state", reopening, status=200)
    await program.writes(messages, {"text": "hello", "id": "2"})
    assert len(await logged(settings, "c")) == 4


async def test_a_conversation_that_was_never_spoken_in_can_be_ended_without_a_body(
    program: Program,
) -> None:
    answered = await program.http.put(f"{CONVERSATIONS}/c/end")
    assert (answered.status_code, answered.json()["state"]) == (200, "ended")
    await program.is_refused(
        409, "conversation_ended", f"{CONVERSATIONS}/c/messages", "POST", json={"text": "x"}
    )


@pytest.mark.usefixtures("persister")
async def test_a_message_that_was_stored_before_the_end_is_taken_again_after_it(
    program: Program,
) -> None:
    messages = f"{CONVERSATIONS}/c/messages"
    said = await program.writes(messages, {"text": "hello", "id": "1"})
    await program.writes(f"{CONVERSATIONS}/c/end", method="PUT", status=200)
    await program.reads(CONVERSATIONS, said)
    again = await program.writes(messages, {"text": "hello", "id": "1"})
    assert (again["event_id"], again["position"]) == (said["event_id"], said["position"])


async def test_a_message_that_was_taken_before_the_end_is_taken_again_before_it_is_stored(
    program: Program,
) -> None:
    messages = f"{CONVERSATIONS}/c/messages"
    said = await program.writes(messages, {"text": "hello", "id": "1"})
    await program.writes(f"{CONVERSATIONS}/c/end", method="PUT", status=200)
    again = await program.writes(messages, {"text": "hello", "id": "1"})
    assert (again["event_id"], again["position"]) == (said["event_id"], said["position"])
