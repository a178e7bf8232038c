"""Writing and reading over HTTP, on the real log and the real tables."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from parley.db.schema.analysis import segments, verdicts
from parley.db.schema.conversations import (
    conversation_messages,
    conversation_sessions,
    conversations,
)
from parley.db.schema.log import fences
from parley.events import EndReason, MessageRecorded, SessionEnded, SessionStarted
from parley.ids import derived_id
from parley.position import Position
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import logged, place
from tests.integration.gateway.rows import AT, insert
from tests.support.processes import ServiceProcess

pytestmark = pytest.mark.integration

CONVERSATION = "/api/v2/conversations/c"


@pytest.fixture
async def client(gateway: ServiceProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url) as made:
        yield made


async def test_a_server_writes_a_session_without_a_websocket(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    session = await client.post(
        f"{CONVERSATION}/sessions", json={"user_id": "u", "channel": "phone"}
    )
    session_id = session.json()["session_id"]
    message = await client.post(
        f"{CONVERSATION}/messages",
        json={"text": "hello", "role": "assistant", "session_id": session_id, "id": "1"},
    )
    end = await client.post(f"{CONVERSATION}/sessions/{session_id}/end", json={})
    assert [one.status_code for one in (session, message, end)] == [201, 201, 200]
    found = await logged(settings, "c")
    assert [where for where, _ in found] == [
        place(one.json()["position"]) for one in (session, message, end)
    ]
    start, said, over = [event for _, event in found]
    assert {one.session_id for one in (start, said, over)} == {session_id}
    assert isinstance(start.body, SessionStarted)
    assert isinstance(said.body, MessageRecorded)
    assert said.event_id == message.json()["event_id"]
    assert over.body == SessionEnded(1, EndReason.EXPLICIT)


async def test_health_tells_how_full_the_queue_is(client: httpx.AsyncClient) -> None:
    tracker = (await client.get("/health")).json()["services"]["conversation_tracker"]
    assert tracker == {
        "queue_depth": 0,
        "queue_max_size": 10_000,
        "queue_utilization": 0.0,
        "active_sessions": 0,
        "total_sessions": 0,
        "worker_running": True,
    }


async def test_metrics_tell_what_became_of_frames(client: httpx.AsyncClient) -> None:
    await client.post(f"{CONVERSATION}/messages", json={"text": "hello"})
    text = (await client.get("/metrics")).text
    assert 'parley_gateway_frames_total{outcome="ok",type="post_message"} 1.0' in text
    assert "parley_gateway_ack_seconds_count 1.0" in text
    assert "parley_gateway_unacknowledged_events 0.0" in text


async def test_a_conversation_that_nobody_knows_is_404(client: httpx.AsyncClient) -> None:
    assert (await client.get(CONVERSATION)).status_code == 404
    assert (await client.get(f"{CONVERSATION}/messages")).json() == {
        "messages": [],
        "next_cursor": None,
    }


async def test_the_history_comes_in_order_page_by_page(
    pool: Any, client: httpx.AsyncClient
) -> None:
    # Two messages of one moment: their ids decide.
    minutes = [3, 1, 2, 2, 4]
    ids = [derived_id("test", str(number)) for number in range(len(minutes))]
    for number, minute in enumerate(minutes):
        await insert(
            pool,
            conversation_messages,
            id=ids[number],
            role="user",
            content="hello",
            metadata='{"a": 1}',
            event_time=AT + timedelta(minutes=minute),
            incarnation="i",
            partition=1,
            log_offset=7,
        )
    foreign = derived_id("test", "foreign")
    await insert(pool, conversation_messages, tenant_id="other", id=foreign)
    found: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    while True:
        page = (await client.get(f"{CONVERSATION}/messages", params=query)).json()
        found += [one["id"] for one in page["messages"]]
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]
    assert found == [name for _, name in sorted(zip(minutes, ids, strict=True))]
    [first] = (await client.get(f"{CONVERSATION}/messages?limit=1")).json()["messages"]
    assert (first["text"], first["metadata"]) == ("hello", {"a": 1})
    assert Position.parse(first["position"]) == Position("i", 1, 7)


async def test_a_conversation_shows_its_sessions_segments_and_verdicts(
    pool: Any, client: httpx.AsyncClient
) -> None:
    for tenant_id in ("default", "other"):
        await insert(pool, conversations, tenant_id=tenant_id)
        await insert(pool, conversation_sessions, tenant_id=tenant_id, session_id=tenant_id)
    await insert(
        pool,
        conversation_sessions,
        session_id="s",
        generation=1,
        started_at=AT,
        ended_at=AT + timedelta(seconds=90),
    )
    await insert(pool, conversation_messages, id=derived_id("test", "m"), role="user")
    segment = derived_id("test", "segment")
    gone = derived_id("test", "gone")
    await insert(pool, segments, segment_id=segment, revision=2, cause="idle", started_at=AT)
    await insert(pool, segments, segment_id=gone, revision=1, is_retracted=True)
    for revision in (1, 2):
        await insert(
            pool,
            verdicts,
            segment_id=segment,
            revision=revision,
            pass_name="turns",
            pass_version=1,
            output=f'{{"revision": {revision}}}',
        )
    await insert(pool, verdicts, segment_id=gone, revision=1, pass_name="turns")
    body = (await client.get(CONVERSATION)).json()
    counts = {name: body[name] for name in body if name.endswith("_count")}
    assert counts == {
        "message_count": 1,
        "session_count": 2,
        "segment_count": 1,
        "verdict_count": 1,
    }
    sessions = {one["session_id"]: one for one in body["sessions"]}
    assert (sessions["s"]["duration_seconds"], sessions["s"]["is_active"]) == (90, False)
    [found] = body["segments"]
    assert (found["segment_id"], found["revision"]) == (segment, 2)
    assert found["verdicts"] == [
        {"pass_name": "turns", "pass_version": 1, "output": {"revision": 2}}
    ]


async def test_a_read_after_a_write_waits_for_the_persister(
    settings: Settings, pool: Any, client: httpx.AsyncClient
) -> None:
    position = (await client.post(f"{CONVERSATION}/messages", json={"text": "x"})).json()[
        "position"
    ]
    after = {"X-Parley-After": position}
    answer = await client.get(f"{CONVERSATION}/messages", headers=after)
    assert (answer.status_code, answer.json()["code"]) == (503, "not_stored_yet")
    found = Position.parse(position)
    await insert(
        pool,
        fences,
        consumer="persister",
        topic=settings.topic(Topic.EVENTS),
        partition=found.partition,
        incarnation=found.incarnation,
        next_offset=found.offset + 1,
    )
    assert (await client.get(f"{CONVERSATION}/messages", headers=after)).status_code == 200
