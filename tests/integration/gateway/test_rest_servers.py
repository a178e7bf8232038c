"""Batches, imports and replies over HTTP, on the real log and the real tables."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from parley.codec import decode_event
from parley.events import Event, ImportFinished, ImportOutcome, ImportStarted, MessageRecorded
from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import logged
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

BATCH = "/api/v2/events:batch"
IMPORTS = "/api/v2/imports"
LONG_AGO = datetime(2019, 5, 4, 3, 2, 1, tzinfo=UTC)


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


@pytest.fixture
async def client(
    gateway: ServiceProcess, persister: ServiceProcess
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=15) as made:
        yield made


def batch(count: int, conversations: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "messages": [
            {
                "conversation_id": f"c{number % conversations}",
                "id": str(number),
                "text": f"text {number}",
                **fields,
            }
            for number in range(count)
        ]
    }


async def bounds(settings: Settings, kind: type) -> list[Event]:
    events = [decode_event(one) for one in await read_records(settings, Topic.EVENTS)]
    return [one for one in events if isinstance(one.body, kind)]


async def test_a_thousand_messages_come_in_their_order_with_a_result_each(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    answer = await client.post(BATCH, json=batch(1_000, 7))
    assert answer.status_code == 200, answer.text
    results = answer.json()["results"]
    assert (answer.json()["ok_count"], len(results)) == (1_000, 1_000)
    found = [event for _, event in await logged(settings, "c3")]
    assert [one.client_message_id for one in found] == [str(number) for number in range(3, 1000, 7)]
    assert [one.event_id for one in found] == [one["event_id"] for one in results[3::7]]


async def test_a_repeated_batch_has_the_same_ids_and_one_row_each(
    client: httpx.AsyncClient,
) -> None:
    first = (await client.post(BATCH, json=batch(20))).json()["results"]
    again = (await client.post(BATCH, json=batch(20))).json()["results"]
    assert [one["event_id"] for one in first] == [one["event_id"] for one in again]
    after = {"X-Parley-After": again[-1]["position"]}
    page = await client.get("/api/v2/conversations/c0/messages", headers=after)
    assert len(page.json()["messages"]) == 20


async def test_one_bad_message_of_a_batch_spoils_no_other(client: httpx.AsyncClient) -> None:
    body = batch(6)
    body["messages"][1]["text"] = ""
    body["messages"][2] = {"conversation_id": "c0"}
    body["messages"][3]["text"] = "\0"
    assert (await client.put("/api/v2/conversations/over/end")).status_code == 200
    body["messages"][4]["conversation_id"] = "over"
    results = (await client.post(BATCH, json=body)).json()["results"]
    codes = [one["code"] for one in results]
    wrong = "invalid_frame"
    assert codes == [None, wrong, wrong, wrong, "conversation_ended", None]


async def test_a_batch_with_too_many_messages_is_422_and_one_that_is_too_large_413(
    settings: Settings,
) -> None:
    small = {"PARLEY_GATEWAY_MAX_BATCH_BYTES": "100000"}
    with ServiceProcess("gateway", settings, **small) as gateway:
        async with httpx.AsyncClient(base_url=gateway.url) as client:
            assert (await client.post(BATCH, json=batch(1_001))).status_code == 422
            assert (await client.post(BATCH, json=batch(500, text="x" * 300))).status_code == 413
    assert await logged(settings, "c0") == []


async def test_an_import_keeps_its_past_and_is_bounded_in_every_partition(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    started = (await client.post(IMPORTS, json={"source": "old-helpdesk"})).json()
    import_id = started["import_id"]
    assert len(started["positions"]) == settings.partitions
    past = batch(3, occurred_at=LONG_AGO.isoformat())
    results = (await client.post(f"{BATCH}?import_id={import_id}", json=past)).json()["results"]
    assert [one["status"] for one in results] == ["ok"] * 3
    finish = await client.post(f"{IMPORTS}/{import_id}/finish", json={"outcome": "completed"})
    assert finish.status_code == 200, finish.text
    said = [event for _, event in await logged(settings, "c0")]
    assert {(one.import_id, one.event_time) for one in said} == {(import_id, LONG_AGO)}
    assert all(isinstance(one.body, MessageRecorded) for one in said)
    for kind in (ImportStarted, ImportFinished):
        marks = await bounds(settings, kind)
        assert {one.import_id for one in marks} == {import_id}
        assert len(marks) == settings.partitions


async def test_an_import_that_is_repeated_has_the_same_ids(
    settings: Settings, client: httpx.AsyncClient
) -> None:
    past = batch(2, occurred_at=LONG_AGO.isoformat())
    seen = []
    for _ in range(2):
        import_id = (await client.post(IMPORTS, json={"source": "s"})).json()["import_id"]
        results = (await client.post(f"{BATCH}?import_id={import_id}", json=past)).json()["results"]
        await client.post(f"{IMPORTS}/{import_id}/finish", json={"outcome": "cancelled"})
        seen.append((import_id, [one["event_id"] for one in results]))
    assert seen[0] == seen[1]
    marks = await bounds(settings, ImportFinished)
    assert len({one.event_id for one in marks}) == settings.partitions
    assert isinstance(marks[0].body, ImportFinished)
    assert marks[0].body.outcome is ImportOutcome.CANCELLED


async def test_an_import_id_that_nobody_was_given_is_404_and_without_its_time_nothing_is_imported(
    client: httpx.AsyncClient,
) -> None:
    foreign = "0d6fc0c1-6a3e-5c1b-8d55-0e9a7b2f4c11"
    assert (await client.post(f"{IMPORTS}/{foreign}/finish", json={})).status_code == 404
    assert (await client.post(f"{BATCH}?import_id={foreign}", json=batch(1))).status_code == 404
    own = (await client.post(IMPORTS, json={"source": "s"})).json()["import_id"]
    [result] = (await client.post(f"{BATCH}?import_id={own}", json=batch(1))).json()["results"]
    assert result["code"] == "invalid_frame"


async def test_a_message_that_wants_a_reply_gets_an_offline_one(client: httpx.AsyncClient) -> None:
    path = "/api/v2/conversations/chat/messages"
    answer = await client.post(path, json={"text": "hello", "id": "1", "reply": True})
    assert (answer.status_code, answer.json()["is_reply_started"]) == (201, True)

    async def is_answered() -> bool:
        said = (await client.get(path)).json()["messages"]
        return [one["role"] for one in said] == ["user", "assistant"]

    await eventually(is_answered)
    state = (await client.get("/api/conversations/chat/state")).json()["state"]
    assert state == "waiting_for_user"
