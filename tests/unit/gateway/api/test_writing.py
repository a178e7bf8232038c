"""What is written over HTTP: once for each id or key, and nothing where a body is wrong."""

from typing import Any

import httpx
import pytest

from parley.events import ConversationCreated, PreferencesChanged, Role
from parley.position import Position
from services.gateway.settings import GatewaySettings
from tests.unit.gateway.api.application import MESSAGES, PREFERENCES, application, problem
from tests.unit.gateway.fakes import FakeProducer


async def test_a_message_is_created(client: httpx.AsyncClient, producer: FakeProducer) -> None:
    answer = await client.post(MESSAGES, json={"text": "hello", "user_id": "u", "id": "1"})
    assert answer.status_code == 201
    [event] = producer.events()
    assert answer.json()["event_id"] == event.event_id
    assert Position.parse(answer.json()["position"]) == Position("incarnation", 0, 0)


async def test_a_repeated_id_or_idempotency_key_is_the_same_message(
    client: httpx.AsyncClient,
) -> None:
    first = await client.post(MESSAGES, json={"text": "x", "id": "1"})
    again = await client.post(MESSAGES, json={"text": "x"}, headers={"Idempotency-Key": "1"})
    other = await client.post(MESSAGES, json={"text": "x"})
    another = await client.post(MESSAGES, json={"text": "x"})
    ids = [one.json()["event_id"] for one in (first, again, other, another)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3


async def test_a_repeated_start_with_its_key_is_the_same_session(client: httpx.AsyncClient) -> None:
    path = "/api/v2/conversations/c/sessions"
    ids = [
        (await client.post(path, json={}, headers={"Idempotency-Key": key})).json()["session_id"]
        for key in ("a", "a", "b")
    ]
    assert ids[0] == ids[1] != ids[2]


async def test_what_kafka_does_not_acknowledge_is_503_with_retry_after(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    producer.acknowledges = False
    answer = await client.post(MESSAGES, json={"text": "hello"})
    with problem(answer, 503, "not_durable") as body:
        assert body["retryable"]
    assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"text": "x", "tekst": "y"}',
        b'{"text": 7}',
        b'{"text": ""}',
        b'{"text": "\\u0000"}',
        b'{"text": "\\ud800"}',
        b'{"text": "x", "metadata": {"a": NaN}}',
        b'{"text": "x", "metadata": ' + b'{"a":' * 500 + b"1" + b"}" * 500 + b"}",
        b'{"text": "x", "metadata": ' + b'{"a":' * 9000 + b"1" + b"}" * 9000 + b"}",
        b'{"text": "x", "occurred_at": "2026-01-31T12:00:00"}',
        b'{"text": "x", "occurred_at": 1e300}',
        b'{"text": "x", "role": "king"}',
        b'{"text": "x", "id": "\\u0000"}',
        b'{"text": "x", "id": "' + b"x" * 600 + b'"}',
        b"\xff\xfe",
    ],
)
async def test_a_body_that_is_wrong_is_422_and_nothing_is_written(
    client: httpx.AsyncClient, producer: FakeProducer, body: bytes
) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post(MESSAGES, content=body, headers=headers)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert producer.accepted == []


async def test_what_was_sent_is_not_shown_again_in_the_error(client: httpx.AsyncClient) -> None:
    answer = await client.post(MESSAGES, json={"text": ["secret"], "secret-name": 1})
    assert "secret" not in answer.text.replace("secret-name", "")


async def test_a_body_that_is_too_large_is_413(client: httpx.AsyncClient) -> None:
    answer = await client.post(MESSAGES, json={"text": "x" * 70_000})
    with problem(answer, 413, "request_entity_too_large"):
        pass


async def test_a_conversation_is_created_under_the_id_that_was_chosen(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    body = {"id": "chosen", "title": "A title", "user_id": "u", "metadata": {"a": 1}}
    answer = await client.post("/api/v2/conversations", json=body)
    assert (answer.status_code, answer.json()["conversation_id"]) == (201, "chosen")
    [event] = producer.events()
    assert (event.conversation_id, event.user_id) == ("chosen", "u")
    assert event.body == ConversationCreated("A title", metadata_json='{"a":1}')


async def test_a_repeated_creation_with_its_key_is_the_same_conversation(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    async def create(key: str | None) -> str:
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = await client.post("/api/v2/conversations", json={}, headers=headers)
        return str(answer.json()["conversation_id"])

    ids = [await create(key) for key in ("a", "a", "b", None, None)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert len({one.event_id for one in producer.events()}) == 4


async def test_preferences_are_written_for_their_user_outside_of_all_conversations(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    answer = await client.put(PREFERENCES, json={"language": "de", "free": {"font": 14}})
    assert answer.status_code == 200
    [event] = producer.events()
    assert (event.conversation_id, event.user_id) == ("preferences:u", "u")
    assert event.body == PreferencesChanged(language="de", free_json='{"font":14}')


async def test_an_ai_response_is_the_assistants(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    answer = await client.post("/api/conversations/c/ai-response", json={"text": "Hello."})
    assert answer.status_code == 201
    [event] = producer.events()
    assert getattr(event.body, "role", None) is Role.ASSISTANT


async def test_an_interim_transcript_is_shown_and_not_kept(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    body = {"text": "My par", "is_final": False, "utterance_id": "u", "sequence": 1}
    path = "/api/conversations/c/transcript"
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()) == (202, {"position": None})
    assert producer.events() == []
    without_sequence = await client.post(path, json={**body, "sequence": None})
    with problem(without_sequence, 422, "invalid_frame"):
        pass
    assert (await client.post(path, json={"text": "My parcel"})).status_code == 201
    assert len(producer.events()) == 1


async def test_a_body_of_another_kind_is_415(client: httpx.AsyncClient) -> None:
    headers = {"content-type": "text/plain"}
    answer = await client.post(MESSAGES, content=b'{"text": "x"}', headers=headers)
    with problem(answer, 415, "unsupported_media_type"):
        pass


async def test_each_message_of_a_batch_is_judged_by_itself(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    good = {"conversation_id": "c", "id": "1", "text": "x"}
    bad: list[Any] = [7, {}, {**good, "id": ""}, {**good, "text": ""}, {**good, "more": 1}]
    answer = await client.post("/api/v2/events:batch", json={"messages": [good, *bad, good]})
    results = answer.json()["results"]
    assert [one["status"] for one in results] == ["ok", *["refused"] * len(bad), "ok"], results
    assert results[0]["event_id"] == results[-1]["event_id"]
    assert {one["code"] for one in results[1:-1]} == {"invalid_frame"}
    assert (answer.json()["ok_count"], answer.json()["refused_count"]) == (2, len(bad))
    assert len(producer.events()) == 2


async def test_a_batch_that_is_empty_or_too_long_is_422_and_nothing_is_written(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    good = {"conversation_id": "c", "id": "1", "text": "x"}
    for messages in ([], [good] * 1_001):
        answer = await client.post("/api/v2/events:batch", json={"messages": messages})
        with problem(answer, 422, "invalid_request"):
            pass
    assert producer.events() == []


async def test_what_a_gateway_has_no_part_for_is_501(client: httpx.AsyncClient) -> None:
    reply = await client.post(MESSAGES, json={"text": "x", "reply": True})
    begun = await client.post("/api/v2/imports", json={"source": "s"})
    assert [one.status_code for one in (reply, begun)] == [501, 501]


async def test_the_test_endpoints_are_there_only_when_the_settings_say_so(
    client: httpx.AsyncClient, producer: FakeProducer
) -> None:
    path = "/api/test/system-status"
    assert (await client.get(path)).status_code == 200
    transport = httpx.ASGITransport(application(producer, GatewaySettings()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as plain:
        with problem(await plain.get(path), 404, "not_found"):
            pass
