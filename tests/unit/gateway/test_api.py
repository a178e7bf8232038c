"""HTTP without Kafka and PostgreSQL: errors as problems, documentation, and the page."""

import re
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from fastapi import FastAPI

from parley.conversation_state import allowed_from
from parley.events import ConversationCreated, ConversationState, PreferencesChanged, Role
from parley.health import Health
from parley.position import Position
from services.gateway.access import Access
from services.gateway.api.app import build_app
from services.gateway.api.fields import position_of
from services.gateway.api.page import content_security_policy
from services.gateway.api.problems import refusal_response
from services.gateway.connection.connections import Connections
from services.gateway.core.refusals import Code, Refused
from services.gateway.settings import GatewaySettings
from services.gateway.store import (
    Activity,
    Overview,
    Place,
    Row,
    Search,
    Store,
    StoreBehind,
    StoreUnavailable,
)
from tests.unit.gateway.fakes import FakeProducer, parts

MESSAGES = "/api/v2/conversations/c/messages"
PREFERENCES = "/api/v2/users/u/preferences"


class _AbsentStore(Store):
    """PostgreSQL is away."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    async def overview(self, tenant_id: str, conversation_id: str) -> Overview | None:
        raise StoreUnavailable

    async def conversations(
        self, tenant_id: str, search: Search, after: Activity | None, limit: int
    ) -> list[Row]:
        raise StoreUnavailable

    async def messages(
        self, tenant_id: str, conversation_id: str, after: Place, limit: int
    ) -> list[Row]:
        raise StoreUnavailable

    async def preferences(self, tenant_id: str, user_id: str) -> Row | None:
        raise StoreUnavailable

    async def wait_until_stored(self, position: Position, patience_s: float) -> None:
        raise StoreBehind


def application(producer: FakeProducer, settings: GatewaySettings) -> FastAPI:
    made = parts(producer, settings)
    return build_app(
        settings,
        made.publisher,
        made.sessions,
        Connections(made),
        _AbsentStore(),
        made.talk,
        Access(settings),
        Health("gateway"),
        limits=made.limits,
    )


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
async def client(producer: FakeProducer) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(
        gateway_ack_timeout=timedelta(milliseconds=500), gateway_test_endpoints=True
    )
    transport = httpx.ASGITransport(application(producer, settings))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as made:
        yield made


@contextmanager
def problem(answer: httpx.Response, status: int, code: str) -> Iterator[dict[str, Any]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    yield body


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


async def test_another_pages_request_is_403_whatever_it_asks(client: httpx.AsyncClient) -> None:
    headers = {"origin": "http://evil.example"}
    with problem(
        await client.post(MESSAGES, json={"text": "x"}, headers=headers), 403, "origin_refused"
    ):
        pass
    with problem(
        await client.get(MESSAGES, headers={"host": "evil.example"}), 403, "origin_refused"
    ):
        pass


async def test_without_postgresql_reading_is_503_and_writing_goes_on(
    client: httpx.AsyncClient,
) -> None:
    for path in (MESSAGES, "/api/v2/conversations/c", "/api/v2/conversations", PREFERENCES):
        answer = await client.get(path)
        with problem(answer, 503, "store_unavailable"):
            assert answer.headers["retry-after"] == "1"
    assert (await client.post(MESSAGES, json={"text": "x"})).status_code == 201


async def test_a_read_that_may_not_miss_a_write_is_503_while_it_would(
    client: httpx.AsyncClient,
) -> None:
    after = {"X-Parley-After": str(Position("i", 0, 7))}
    answer = await client.get(MESSAGES, headers=after)
    with problem(answer, 503, "not_stored_yet"):
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("?cursor=nonsense", {}),
        ("?cursor=%00", {}),
        ("?limit=0", {}),
        ("?limit=501", {}),
        ("", {"X-Parley-After": "nonsense"}),
        ("", {"X-Parley-After": str(Position("i", 2**31, 0))}),
        ("", {"X-Parley-After": str(Position("i", 0, 2**62))}),
        ("", {"X-Parley-After": str(Position("i", -1, 0))}),
        ("", {"X-Parley-After": str(Position("\0", 0, 0))}),
    ],
)
async def test_a_cursor_or_position_that_nobody_gave_out_is_422(
    client: httpx.AsyncClient, query: str, headers: dict[str, str]
) -> None:
    with problem(await client.get(MESSAGES + query, headers=headers), 422, "invalid_request"):
        pass


async def test_unknown_paths_and_methods_are_problems_too(client: httpx.AsyncClient) -> None:
    with problem(await client.get("/api/v2/nothing"), 404, "not_found"):
        pass
    answer = await client.delete(MESSAGES)
    with problem(answer, 405, "method_not_allowed"):
        pass
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize(
    "cursor",
    [
        '["0001-01-01T00:00:00+14:00", "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"]',
        '["2026-01-31T12:00:00", "5b0a63d5-8b6c-5d0e-a9a4-2f6c0c7f7f7e"]',
        '["2026-01-31T12:00:00Z", 7]',
        '["2026-01-31T12:00:00Z", "\\u0000"]',
        '[1e400, "x"]',
        "7",
    ],
)
async def test_a_cursor_that_looks_like_one_and_is_none_is_422(
    client: httpx.AsyncClient, cursor: str
) -> None:
    text = urlsafe_b64encode(cursor.encode()).decode().rstrip("=")
    for path in (MESSAGES, "/api/v2/conversations"):
        answer = await client.get(path, params={"cursor": text})
        with problem(answer, 422, "invalid_request"):
            pass


@pytest.mark.parametrize(
    "query",
    [
        {"text": "\0"},
        {"text": ""},
        {"text": "x" * 201},
        {"user_id": "\0"},
        {"state": "sleeping"},
        {"is_active": "perhaps"},
        {"active_since": "2026-01-31T12:00:00"},
        {"active_since": "9999-12-31T23:59:59-23:59"},
        {"active_before": "1e300"},
        {"limit": "201"},
    ],
)
async def test_a_search_that_cannot_be_meant_is_422(
    client: httpx.AsyncClient, query: dict[str, str]
) -> None:
    answer = await client.get("/api/v2/conversations", params=query)
    with problem(answer, 422, "invalid_request"):
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


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.UNAUTHENTICATED, 401),
        (Code.FORBIDDEN, 403),
        (Code.NO_CONVERSATION, 404),
        (Code.CONVERSATION_ENDED, 409),
        (Code.TRANSITION_LOST, 409),
        (Code.INVALID_FRAME, 422),
        (Code.RATE_LIMITED, 429),
        (Code.OVERLOADED, 503),
        (Code.STATE_UNKNOWN, 503),
    ],
)
def test_every_refusal_has_its_status_and_says_when_to_try_again(code: Code, status: int) -> None:
    refused = Refused(code, "because", 1_500 if status in (429, 503) else None)
    answer = refusal_response(refused)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("2" if refused.is_retryable else None)


def test_a_refused_transition_says_where_it_stands_and_where_it_may_go() -> None:
    state = ConversationState.SPEAKING
    allowed = allowed_from(state)
    refused = Refused(Code.INVALID_TRANSITION, "no", state=state, allowed=allowed)
    body = orjson.loads(refusal_response(refused).body)
    assert (body["state"], body["allowed"]) == ("speaking", list(allowed))


def test_a_position_that_parley_gave_out_is_read_back() -> None:
    position = Position("incarnation", 3, 7)
    assert position_of(str(position)) == position


async def test_every_reference_of_the_documentation_leads_somewhere(
    client: httpx.AsyncClient,
) -> None:
    document = (await client.get("/openapi.json")).text
    named = set(re.findall(r'"#/components/schemas/(\w+)"', document))
    known = (await client.get("/openapi.json")).json()["components"]["schemas"]
    assert "Problem" in named
    assert named <= known.keys()


async def test_the_documentation_shows_every_operation_and_fetches_nothing(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/docs")
    schema = (await client.get("/openapi.json")).json()
    assert answer.text.count("<summary>") == sum(len(one) for one in schema["paths"].values())
    for path in schema["paths"]:
        assert f"<code>{path}</code>" in answer.text
    assert "script-src 'none'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script|<!-- content|(src|href)=.https?:", answer.text)


async def test_the_page_may_reach_its_own_server_only(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy == content_security_policy(answer.text)
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    # Inline handlers and styles would be blocked; foreign hosts must not even be named.
    assert not re.search(r'\son\w+="|style="|https?://', answer.text)
