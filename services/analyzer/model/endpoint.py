"""Asks an OpenAI-compatible endpoint once, and names every way in which that can end.

Nothing is tried again here: when to is decided by who counts attempts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

from parley import clock
from services.analyzer.model.contract import ModelError, ModelUnavailable, Usage
from services.analyzer.model.http import Http, NoReply, Reply
from services.analyzer.model.outputs import storable
from services.analyzer.model.prices import Tokens
from services.analyzer.model.refusals import Refusal, failure_of
from services.analyzer.model.retry_after import retry_after

_OK: Final = range(200, 300)
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
        url = f"{base_url.rstrip('/')}/chat/completions"
        # Endpoints of one's own have none, and some insist on one.
        headers = {"Authorization": f"Bearer {api_key or 'none'}"}
        # Who writes a name and a password into the URL means these.
        has_own = urlsplit(url).username is not None
        self._http = Http(url, {} if has_own else headers, connect_timeout_s)

    async def complete(self, body: Mapping[str, Any], timeout_s: float) -> Completion:
        """Ask once; raises ModelError, with nothing in it that was asked or answered."""
        try:
            reply = await self._http.post(_written(body), timeout_s)
        except NoReply as error:
            raise ModelUnavailable(error.reason, usage=_ONE_CALL) from None
        if reply.status not in _OK:
            raise _refused(reply)
        return _completion(reply)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _written(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        # Integers of more than 64 bits, and halves of surrogate pairs.
        return json.dumps(body).encode()


def _refused(reply: Reply) -> ModelError:
    wait = retry_after(reply.headers, clock.now())
    return failure_of(Refusal.of(reply.status, _json(reply), wait))


def _json(reply: Reply) -> Any:
    try:
        return orjson.loads(reply.body)
    except ValueError:
        return _json_of_python(reply.body)


def _json_of_python(body: bytes) -> Any:
    """Also halves of surrogate pairs, and what is no number: that is looked at later."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _completion(reply: Reply) -> Completion:
    body = _json(reply)
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        raise _refused_in_passing(reply, body)
    try:
        return _read(body)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        raise ModelUnavailable("unreadable_answer", usage=_ONE_CALL) from None


def _refused_in_passing(reply: Reply, body: Mapping[str, Any]) -> ModelError:
    """An error under a status that says there is none, as gateways to other providers send."""
    code = body["error"].get("code")
    status = code if code in _ERROR_STATUSES else HTTPStatus.SERVICE_UNAVAILABLE
    return failure_of(Refusal.of(status, body, retry_after(reply.headers, clock.now())))


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
