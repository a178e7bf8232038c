"""One HTTP request to an OpenAI-compatible endpoint, and every way in which it can end.

The client is OpenAI's, with its retries off: when to try again is decided by who counts attempts.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httpx2
from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI

from parley import clock
from services.analyzer.model.contract import ModelError, ModelUnavailable, Usage
from services.analyzer.model.outputs import storable
from services.analyzer.model.prices import Tokens
from services.analyzer.model.refusals import Refusal, failure_of
from services.analyzer.model.retry_after import retry_after

# An output has 900 kB at most, and escapes may make it longer on the way.
MAX_BODY_BYTES: Final = 4_000_000
MAX_CONNECTIONS: Final = 256
_ERROR_STATUSES: Final = range(400, 600)
_ONE_CALL: Final = Usage(call_count=1)


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model answered; `refusal` is its own, in place of an answer."""

    text: str
    finish_reason: str
    refusal: str
    model: str
    tokens: Tokens | None
    """None where the endpoint does not say."""


class Endpoint:
    """An endpoint and its key. Each `complete` is one request, and never another."""

    def __init__(self, base_url: str, api_key: str, connect_timeout_s: float) -> None:
        # With OPENAI_LOG=debug in the environment these would write down what was said.
        for library in ("openai", "httpx2", "httpcore2", "httpx", "httpcore"):
            logging.getLogger(library).setLevel(logging.WARNING)
        self._connect_timeout_s = connect_timeout_s
        self._client = AsyncOpenAI(
            base_url=base_url,
            # Endpoints of one's own have none, and the client insists on one.
            api_key=api_key or "none",
            max_retries=0,
            http_client=httpx2.AsyncClient(
                # Compressed, a small body can be a large one.
                headers={"Accept-Encoding": "identity"},
                follow_redirects=False,
                limits=httpx2.Limits(max_connections=MAX_CONNECTIONS),
                event_hooks={"response": [_bound]},
            ),
        )

    async def complete(self, body: Mapping[str, Any], timeout_s: float) -> Completion:
        """Ask once; raises ModelError, with nothing in it that was asked or answered."""
        timeout = httpx2.Timeout(timeout_s, connect=min(self._connect_timeout_s, timeout_s))
        try:
            # The client's own timeouts begin anew with every byte.
            async with asyncio.timeout(timeout_s):
                response = await self._client.post(
                    "/chat/completions",
                    cast_to=httpx2.Response,
                    body=dict(body),
                    options={"timeout": timeout},
                )
        except APIStatusError as error:
            raise _refused(error.response) from None
        except (APITimeoutError, TimeoutError):
            raise ModelUnavailable("timeout", usage=_ONE_CALL) from None
        except APIConnectionError as error:
            raise ModelUnavailable(_connection_reason(error), usage=_ONE_CALL) from None
        return _completion(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


class _Bounded(httpx2.AsyncByteStream):
    """A body of which no more than so many bytes are taken into memory."""

    def __init__(self, stream: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._stream = stream
        self._room = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._room -= len(chunk)
            if self._room < 0:
                raise AnswerTooLong("the body is too long")
            yield chunk

    async def aclose(self) -> None:
        """Close the connection below."""
        await self._stream.aclose()


class AnswerTooLong(httpx2.RemoteProtocolError):
    """An endpoint sends more than any answer has."""


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerTooLong("compressed, although that was not accepted")
    assert isinstance(response.stream, httpx2.AsyncByteStream)  # noqa: S101 - of an async client
    response.stream = _Bounded(response.stream, MAX_BODY_BYTES)


def _connection_reason(error: APIConnectionError) -> str:
    cause = error.__cause__
    if isinstance(cause, AnswerTooLong):
        return "answer_too_long"
    return "unreachable" if isinstance(cause, httpx2.ConnectError) else "connection_lost"


def _refused(response: httpx2.Response) -> ModelError:
    wait = retry_after(response.headers, clock.now())
    return failure_of(Refusal.of(response.status_code, _json(response), wait))


def _json(response: httpx2.Response) -> Any:
    try:
        return json.loads(response.content)
    except (ValueError, RecursionError):
        return None


def _completion(response: httpx2.Response) -> Completion:
    body = _json(response)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        raise _refused_in_passing(response, body)
    try:
        return _read(body)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        raise ModelUnavailable("unreadable_answer", usage=_ONE_CALL) from None


def _refused_in_passing(response: httpx2.Response, body: Mapping[str, Any]) -> ModelError:
    """An error under a status that says there is none, as gateways to other providers send."""
    code = body["error"].get("code")
    status = code if code in _ERROR_STATUSES else HTTPStatus.SERVICE_UNAVAILABLE
    return failure_of(Refusal.of(status, body, retry_after(response.headers, clock.now())))


def _read(body: Any) -> Completion:
    choice = body["choices"][0]
    message = choice["message"]
    return Completion(
        text=_text(message.get("content")),
        finish_reason=_text(choice.get("finish_reason")),
        refusal=_text(message.get("refusal")),
        model=_text(body.get("model")),
        tokens=_tokens(body.get("usage")),
    )


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(type(value).__name__)
    return storable(value)


def _tokens(usage: Any) -> Tokens | None:
    if not usage:
        return None
    details = usage.get("prompt_tokens_details") or {}
    counts = (usage["prompt_tokens"], usage["completion_tokens"], details.get("cached_tokens") or 0)
    if not all(isinstance(one, int) and 0 <= one < 2**31 for one in counts):
        raise ValueError("no counts of tokens")
    return Tokens(*counts)
