"""HTTP without Kafka and PostgreSQL: errors as problems, documentation, and the page."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from parley.health import Health
from parley.position import Position
from services.gateway.api.app import build_app
from services.gateway.api.page import content_security_policy
from services.gateway.connection.connections import Connections
from services.gateway.sessions import Sessions
from services.gateway.settings import GatewaySettings
from services.gateway.store import Overview, Place, Row, Store, StoreBehind, StoreUnavailable
from services.gateway.stream import Publisher
from tests.unit.gateway.fakes import FakeProducer, publisher

MESSAGES = "/api/v2/conversations/c/messages"


class _AbsentStore(Store):
    """PostgreSQL is away."""

    def __init__(self) -> None:
        """Nothing to connect to."""

    async def overview(self, conversation_id: str) -> Overview | None:
        raise StoreUnavailable

    async def messages(self, conversation_id: str, after: Place, limit: int) -> list[Row]:
        raise StoreUnavailable

    async def wait_until_stored(self, position: Position, patience_s: float) -> None:
        raise StoreBehind


def application(writer: Publisher, settings: GatewaySettings) -> FastAPI:
    sessions = Sessions(settings, writer)
    connections = Connections(settings, writer, sessions)
    return build_app(settings, writer, sessions, connections, _AbsentStore(), Health("gateway"))


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
async def client(producer: FakeProducer) -> AsyncIterator[httpx.AsyncClient]:
    settings = GatewaySettings(gateway_ack_timeout=timedelta(milliseconds=50))
    transport = httpx.ASGITransport(application(publisher(producer, settings), settings))
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
    for path in (MESSAGES, "/api/v2/conversations/c"):
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
    with problem(await client.delete(MESSAGES), 405, "method_not_allowed"):
        pass


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
