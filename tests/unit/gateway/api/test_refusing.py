"""What HTTP refuses: errors are problems, with a status, a code and when to try again."""

from base64 import urlsafe_b64encode

import httpx
import orjson
import pytest

from parley.conversation_state import allowed_from
from parley.events import ConversationState
from parley.position import Position
from services.gateway.api.problems import refusal_response
from services.gateway.core.refusals import Code, Refused
from tests.unit.gateway.api.application import MESSAGES, PREFERENCES, problem


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
