"""The responder and a provider that misbehaves in every way that providers do."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from parley import clock
from parley.events import Role
from services.gateway.responder.replies import Manner, Reply, ResponderFailed, Turn, Usage
from services.gateway.responder.responder import Responder
from services.gateway.settings import GatewaySettings
from tests.support.provider import (
    BreaksOff,
    Provider,
    Refuses,
    Says,
    Sends,
    Stalls,
    running_provider,
)
from tests.support.tcp_proxy import TcpProxy, proxied
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

KEY = "sk-canary-key"
CANARY = "canary-5f1d"
TURNS = [
    Turn(Role.USER, "hello"),
    Turn(Role.ASSISTANT, "hello yourself"),
    Turn(Role.USER, f"how are you, {CANARY}?"),
]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with running_provider() as provider:
        yield provider


@pytest.fixture
async def network(provider: Provider) -> AsyncIterator[TcpProxy]:
    async with proxied("127.0.0.1", provider.port) as proxy:
        yield proxy


@pytest.fixture
async def responder(provider: Provider) -> AsyncIterator[Responder]:
    made = responder_at(provider.base_url)
    yield made
    await made.close()


def responder_at(base_url: str, **more: Any) -> Responder:
    settings = GatewaySettings(
        openai_api_key=SecretStr(KEY),
        openai_base_url=base_url,
        gateway_responder_model="some-model",
        gateway_responder_system_prompt="be brief",
        **{"gateway_responder_timeout": timedelta(seconds=3), **more},
    )
    return Responder(settings)


async def failure(responder: Responder) -> ResponderFailed:
    with pytest.raises(ResponderFailed) as failed:
        await responder.reply(TURNS)
    return failed.value


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"parley_gateway_{name}", labels) or 0.0


async def test_the_provider_is_asked_with_the_whole_conversation(
    provider: Provider, responder: Responder
) -> None:
    before = counted("reply_tokens_total", direction="input")
    provider.acts(Says("fine"))
    reply = await responder.reply(TURNS, Manner("a pirate", "de"))
    assert reply == Reply("fine", "some-model", usage=Usage(11, 7))
    [asked] = provider.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.body["model"] == "some-model"
    assert asked.body["max_completion_tokens"] == 1_000
    system, *rest = asked.turns
    assert system[0] in ("system", "developer")
    assert system[1].split("\n") == [
        "be brief",
        "Your personality: a pirate",
        "Answer in this language: de",
    ]
    assert rest == [(str(turn.role), turn.text) for turn in TURNS]
    assert counted("reply_tokens_total", direction="input") == before + 11


@pytest.mark.parametrize(
    "fault",
    [
        Refuses(500),
        Refuses(502),
        Refuses(503),
        Refuses(529),
        Refuses(408),
        Refuses(429, "rate_limit_exceeded"),
        BreaksOff(),
        Sends(b""),
        Sends(b"<html>sorry</html>", content_type="text/html"),
        Sends(b"{"),
        Sends(b"{}"),
        Sends(b"[]"),
        Sends(b'{"choices": []}'),
        Sends(b"\xff\xfe"),
        Says(""),
        Says(None),
        Says("  \x00 "),
    ],
    ids=repr,
)
async def test_a_fault_that_passes_is_tried_again(
    provider: Provider, responder: Responder, fault: Any
) -> None:
    provider.acts(fault, Says("fine"))
    assert (await responder.reply(TURNS)).text == "fine"
    assert len(provider.asked) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Refuses(401, "invalid_api_key"), "key_refused"),
        (Refuses(404, "model_not_found"), "model_unknown"),
        (Refuses(400), "request_refused"),
        (Refuses(400, "context_length_exceeded"), "conversation_too_long"),
        (Refuses(429, "insufficient_quota"), "quota_exceeded"),
        (Says("x" * 100_001), "answer_too_long"),
    ],
    ids=repr,
)
async def test_a_fault_that_stays_is_told_at_once(
    provider: Provider, responder: Responder, fault: Any, reason: str
) -> None:
    before = counted("replies_total", outcome=reason)
    provider.acts(fault)
    failed = await failure(responder)
    assert (failed.reason, failed.is_retryable) == (reason, False)
    assert len(provider.asked) == 1
    assert counted("replies_total", outcome=reason) == before + 1


async def test_it_is_tried_twice_more_and_not_for_ever(provider: Provider) -> None:
    responder = responder_at(provider.base_url, gateway_responder_timeout=timedelta(seconds=10))
    provider.otherwise = Refuses(500)
    failed = await failure(responder)
    assert (failed.reason, failed.is_retryable) == ("unavailable", True)
    assert len(provider.asked) == 3
    await responder.close()


async def test_the_provider_is_left_alone_for_as_long_as_it_asks(
    provider: Provider, responder: Responder
) -> None:
    provider.acts(Refuses(429, headers={"Retry-After": "1"}), Says("fine"))
    began_s = clock.monotonic()
    assert (await responder.reply(TURNS)).text == "fine"
    assert 1.0 <= clock.monotonic() - began_s < 2.5


async def test_a_rest_longer_than_the_time_is_not_waited_for(
    provider: Provider, responder: Responder
) -> None:
    provider.acts(Refuses(429, headers={"Retry-After": "60"}))
    began_s = clock.monotonic()
    failed = await failure(responder)
    assert (failed.reason, failed.retry_after_s) == ("rate_limited", 60)
    assert clock.monotonic() - began_s < 10
    assert len(provider.asked) == 1


async def test_a_provider_that_hangs_is_given_up_in_time(provider: Provider) -> None:
    responder = responder_at(provider.base_url, gateway_responder_timeout=timedelta(seconds=0.5))
    provider.acts(Stalls())
    began_s = clock.monotonic()
    failed = await failure(responder)
    assert (failed.reason, failed.is_retryable) == ("timeout", True)
    # The provider says nothing for a minute.
    assert 0.4 < clock.monotonic() - began_s < 5
    assert (await responder.reply(TURNS)).text == "the answer"
    await responder.close()


async def test_nobody_there_is_told_as_such_and_forgotten_when_somebody_is(
    provider: Provider, network: TcpProxy
) -> None:
    responder = responder_at(f"http://127.0.0.1:{network.port}/v1")
    network.cut()
    failed = await failure(responder)
    assert (failed.reason, failed.is_retryable) == ("unreachable", True)
    assert provider.asked == []
    network.heal()
    assert (await responder.reply(TURNS)).text == "the answer"
    await responder.close()


async def test_a_connection_that_is_reset_under_way_is_tried_again(
    provider: Provider, network: TcpProxy
) -> None:
    responder = responder_at(f"http://127.0.0.1:{network.port}/v1")
    provider.acts(Says("late", after_s=60), Says("fine"))
    reply = asyncio.create_task(responder.reply(TURNS))

    async def has_arrived() -> bool:
        return bool(provider.asked)

    await eventually(has_arrived)
    network.reset()
    assert (await reply).text == "fine"
    await responder.close()


async def test_a_network_that_swallows_everything_is_given_up_in_time(
    provider: Provider, network: TcpProxy
) -> None:
    timeout = timedelta(seconds=0.7)
    responder = responder_at(
        f"http://127.0.0.1:{network.port}/v1", gateway_responder_timeout=timeout
    )
    assert (await responder.reply(TURNS)).text == "the answer"
    network.stall()
    assert (await failure(responder)).reason == "timeout"
    network.heal()
    assert (await responder.reply(TURNS)).text == "the answer"
    await responder.close()


async def test_past_its_bound_it_is_overloaded_at_once(provider: Provider) -> None:
    responder = responder_at(provider.base_url, gateway_responder_max_concurrent=2)
    provider.otherwise = Says("fine", after_s=2)
    replies = [asyncio.create_task(responder.reply(TURNS)) for _ in range(2)]

    async def have_arrived() -> bool:
        return len(provider.asked) == 2

    await eventually(have_arrived)
    assert (await failure(responder)).reason == "overloaded"
    assert not any(one.done() for one in replies)
    assert [one.text for one in await asyncio.gather(*replies)] == ["fine"] * 2
    assert (await responder.reply(TURNS)).text == "fine"
    assert provider.most_at_once == 2
    await responder.close()


@pytest.mark.parametrize(
    ("said", "kept"),
    [("a\0b", "ab"), ("a\udc00b", "a?b"), ("  fine\n", "fine"), ("😀", "😀")],
)
async def test_an_answer_holds_nothing_that_the_log_cannot(
    provider: Provider, responder: Responder, said: str, kept: str
) -> None:
    provider.acts(Says(said))
    text = (await responder.reply(TURNS)).text
    assert text == kept
    assert json.loads(json.dumps(text)).encode()


@pytest.mark.parametrize(
    "fault",
    [Refuses(400, message=CANARY), Refuses(500, message=CANARY), Sends(CANARY.encode())],
    ids=repr,
)
async def test_neither_key_nor_content_is_logged_however_the_provider_quotes_them(
    provider: Provider,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    fault: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    responder = responder_at(provider.base_url)
    provider.otherwise = fault
    failed = await failure(responder)
    provider.otherwise = Says(CANARY)
    await responder.reply(TURNS)
    await responder.close()
    told = [repr(failed), str(failed), repr(failed.__cause__), *capfd.readouterr()]
    for secret in (CANARY, KEY):
        assert secret not in "\n".join([*told, caplog.text])
    assert any(asked.turns[-1][1].endswith(f"{CANARY}?") for asked in provider.asked)
