"""Every way in which an endpoint fails, over real HTTP, and what each of them means."""

import asyncio
import logging
import time
from datetime import timedelta
from typing import Any

import pytest

from services.analyzer.model import http
from services.analyzer.model.contract import (
    InvalidAnswer,
    ModelError,
    ModelMisconfigured,
    ModelUnavailable,
    NoProvider,
    PromptTooLarge,
)
from tests.support.provider import (
    Act,
    BreaksOff,
    Drips,
    Floods,
    Refuses,
    Resets,
    Sends,
    Stalls,
)
from tests.support.wait import eventually
from tests.unit.analyzer.model.asking import CANARY, GOOD_JSON, KEY, Asking, asking, counted

WAIT, CONFIG, LARGE, ANSWER = ModelUnavailable, ModelMisconfigured, PromptTooLarge, InvalidAnswer


def says(message: str, status: int = 400, code: str = "some_error") -> Refuses:
    return Refuses(status, code, message=message)


def param(name: str) -> Sends:
    return Sends(f'{{"error": {{"message": "no", "param": "{name}", "code": null}}}}'.encode(), 400)


def nested(status: int) -> Sends:
    """As deep as a reader of JSON goes, which is deeper than Python writes it out."""
    return Sends(b'{"error": {"message": ' + b"[" * 1_020 + b"]" * 1_020 + b"}}", status)


ENDINGS: list[tuple[Act, type[ModelError], str]] = [
    (Refuses(429), WAIT, "rate_limited"),
    (Refuses(429, "rate_limit_exceeded"), WAIT, "rate_limited"),
    (Refuses(429, "insufficient_quota"), CONFIG, "quota_exhausted"),
    (Refuses(402), CONFIG, "quota_exhausted"),
    (Refuses(500), WAIT, "unavailable"),
    (Refuses(502), WAIT, "unavailable"),
    (Refuses(503), WAIT, "unavailable"),
    (Refuses(529), WAIT, "unavailable"),
    (Refuses(408), WAIT, "unavailable"),
    (Refuses(409), WAIT, "unavailable"),
    (Sends(b"<html>Bad gateway</html>", 502, "text/html"), WAIT, "unavailable"),
    (nested(503), WAIT, "unavailable"),
    (nested(200), WAIT, "unavailable"),
    (Refuses(401, "invalid_api_key"), CONFIG, "bad_key"),
    (Refuses(403), CONFIG, "bad_key"),
    (Refuses(404, "model_not_found"), CONFIG, "unknown_model"),
    (Refuses(404), CONFIG, "unknown_model"),
    (Refuses(400, "model_not_found"), CONFIG, "unknown_model"),
    (Refuses(400, "unsupported_parameter"), CONFIG, "refused_parameters"),
    (Refuses(422), CONFIG, "refused_parameters"),
    (param("temperature"), CONFIG, "refused_parameters"),
    (param("messages[1].content"), ANSWER, "refused_prompt"),
    (Refuses(405), CONFIG, "wrong_endpoint"),
    (Refuses(302, headers={"location": "http://127.0.0.1:1/"}), CONFIG, "wrong_endpoint"),
    (Refuses(400, "context_length_exceeded"), LARGE, "prompt_too_large"),
    (says("This model's maximum context length is 4096 tokens."), LARGE, "prompt_too_large"),
    (Sends(b'{"error": "prompt is too long"}', 400), LARGE, "prompt_too_large"),
    (Refuses(413), LARGE, "prompt_too_large"),
    (Refuses(400, "content_filter"), ANSWER, "filtered"),
    (Refuses(403, "content_policy_violation"), ANSWER, "filtered"),
    (Sends(b'{"error": {"code": 429, "message": "slow down"}}'), WAIT, "rate_limited"),
    (Sends(b'{"error": {"message": "upstream is gone"}}'), WAIT, "unavailable"),
    (Sends(b"<html>hello</html>"), WAIT, "unreadable_answer"),
    (Sends(b'{"choices": []}'), WAIT, "unreadable_answer"),
    (Sends(b'{"choices": [{"message": {"content": 7}}]}'), WAIT, "unreadable_answer"),
    (Sends(b'{"choices": [{"message": null}]}'), WAIT, "unreadable_answer"),
    (Sends(b"[" * 100_000), WAIT, "unreadable_answer"),
    (Sends(b""), WAIT, "unreadable_answer"),
    (BreaksOff(), WAIT, "connection_lost"),
    (Resets(), WAIT, "connection_lost"),
    (Floods(http.MAX_BODY_BYTES + 1), WAIT, "answer_too_long"),
    (Floods(http.MAX_BODY_BYTES + 1, 500), WAIT, "answer_too_long"),
]


@pytest.mark.parametrize(("act", "kind", "reason"), ENDINGS)
async def test_every_refusal_has_its_meaning_and_is_one_request(
    asks: Asking, act: Act, kind: type[ModelError], reason: str
) -> None:
    before = counted("calls_total", outcome=reason)
    asks.provider.acts(act)
    failure = await asks.failure()
    assert (type(failure), failure.reason) == (kind, reason)
    assert failure.usage.call_count == 1
    assert asks.provider.call_count == 1
    assert asks.before_calls == [0]
    assert counted("calls_total", outcome=reason) - before == 1


async def test_a_provider_that_says_nothing_is_given_up_after_the_timeout(asks: Asking) -> None:
    asks.provider.acts(Stalls())
    began = time.monotonic()
    failure = await asks.failure(timeout=timedelta(seconds=0.4))
    assert isinstance(failure, ModelUnavailable)
    assert failure.reason == "timeout"
    assert 0.3 < time.monotonic() - began < 3


async def test_a_provider_that_drips_is_given_up_after_the_timeout_too(asks: Asking) -> None:
    asks.provider.acts(Drips(GOOD_JSON, every_s=0.05))
    began = time.monotonic()
    failure = await asks.failure(timeout=timedelta(seconds=0.4))
    assert failure.reason == "timeout"
    assert time.monotonic() - began < 3


async def test_an_endpoint_that_nobody_listens_at_is_unreachable() -> None:
    async with asking(openai_base_url="http://127.0.0.1:1/v1") as asks:
        failure = await asks.failure()
    assert isinstance(failure, ModelUnavailable)
    assert failure.reason == "unreachable"


async def test_a_body_that_would_unpack_is_not_unpacked(asks: Asking) -> None:
    asks.provider.acts(Refuses(500, headers={"content-encoding": "gzip"}))
    assert (await asks.failure()).reason == "answer_too_long"


async def test_without_a_key_and_an_endpoint_there_is_no_provider_and_prompts_all_the_same() -> (
    None
):
    async with asking(openai_api_key=None, openai_base_url=None) as asks:
        failure = await asks.failure()
        assert isinstance(failure, NoProvider)
        assert failure.reason == "no_provider"
        assert asks.before_calls == []


async def test_who_stops_waiting_stops_the_request(asks: Asking) -> None:
    asks.provider.acts(Stalls())
    task = asyncio.create_task(asks.ask())

    async def is_asked() -> bool:
        return asks.provider.call_count == 1

    await eventually(is_asked)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asks.provider.call_count == 1


@pytest.mark.parametrize("act", [ending[0] for ending in ENDINGS])
async def test_nothing_that_was_said_or_secret_is_in_an_error_or_a_log(
    asks: Asking, act: Act, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_LOG", "debug")
    caplog.set_level(logging.DEBUG)
    quoting = f"your prompt was: {CANARY}"
    if isinstance(act, Refuses):
        act = Refuses(act.status, act.code, act.headers, f"{act.message} {quoting}")
    asks.provider.acts(act)
    failure = await asks.failure()
    told: list[Any] = [str(failure), repr(failure), failure.__cause__, caplog.text]
    for secret in (CANARY, KEY):
        assert secret not in "".join(map(str, told))
    assert failure.__cause__ is None
    assert failure.__suppress_context__ or failure.__context__ is None
