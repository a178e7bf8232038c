"""The connections to an endpoint: kept, given up in time, and made by way of a proxy."""

import asyncio
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.analyzer.model import http
from services.analyzer.model.http import Http, NoReply, proxy_of
from tests.support.certificates import make_certificates
from tests.support.connections import Connections
from tests.support.provider import Answers, running_provider
from tests.unit.analyzer.model.asking import DEFINITION, GOOD, GOOD_JSON, KEY, Asking, asking

_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Server:
    """Says the same to every request, and may close the connection after that."""

    def __init__(self, *, closes: bool) -> None:
        self._closes = closes
        self.connection_count = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connection_count += 1
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n{}")
                writer.write(_OK)
                if self._closes:
                    return
        except asyncio.IncompleteReadError:
            return
        finally:
            writer.close()


@asynccontextmanager
async def serving(*, closes: bool = False) -> AsyncIterator[tuple[Server, Http]]:
    made = Server(closes=closes)
    connections = Connections(made.serve)
    listening = await asyncio.start_server(connections.take, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/"
    client = Http(made.url, {}, 5.0)
    try:
        yield made, client
    finally:
        await client.close()
        listening.close()
        await connections.end()


async def test_calls_one_after_the_other_share_a_connection() -> None:
    async with serving() as (server, client):
        for _ in range(3):
            assert (await client.post(b"{}", 5.0)).body == b"{}"
        assert server.connection_count == 1


async def test_a_connection_that_the_endpoint_has_closed_is_not_called_on() -> None:
    async with serving(closes=True) as (server, client):
        for _ in range(3):
            assert (await client.post(b"{}", 5.0)).status == 200
            await asyncio.sleep(0.05)
        assert server.connection_count == 3


async def test_an_idle_connection_is_closed_before_the_endpoint_closes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "KEEP_IDLE_S", 0.05)
    async with serving() as (server, client):
        await client.post(b"{}", 5.0)
        await asyncio.sleep(0.2)
        await client.post(b"{}", 5.0)
        assert server.connection_count == 2


@contextmanager
def nobody_accepts() -> Iterator[str]:
    """A URL whose queue of connections is full, so that a new one does not come about."""
    with ExitStack() as sockets:
        listening = sockets.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


async def test_a_connection_that_does_not_come_about_is_given_up_before_the_call_is() -> None:
    began = time.monotonic()
    with nobody_accepts() as url:
        client = Http(url, {}, 0.2)
        try:
            with pytest.raises(NoReply) as raised:
                await client.post(b"{}", 30.0)
        finally:
            await client.close()
    assert raised.value.reason == "timeout"
    assert time.monotonic() - began < 10


async def test_a_name_that_nobody_has_is_unreachable() -> None:
    async with asking(openai_base_url="http://models.invalid/v1") as asks:
        assert (await asks.failure()).reason == "unreachable"


@pytest.mark.parametrize("is_trusted", [True, False])
async def test_an_endpoint_is_asked_only_where_its_certificate_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_trusted: bool
) -> None:
    made = make_certificates(tmp_path)
    if is_trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    server = Server(closes=False)
    connections = Connections(server.serve)
    listening = await asyncio.start_server(connections.take, "127.0.0.1", 0, ssl=context)
    client = Http(f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}/", {}, 5.0)
    try:
        if is_trusted:
            assert (await client.post(b"{}", 5.0)).body == b"{}"
        else:
            with pytest.raises(NoReply, match="unreachable"):
                await client.post(b"{}", 5.0)
            assert server.connection_count == 0
    finally:
        await client.close()
        listening.close()
        await connections.end()


async def test_what_is_no_http_is_a_lost_connection() -> None:
    async def shouts(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"220 mail.example.com ready\r\n")
        writer.close()

    connections = Connections(shouts)
    listening = await asyncio.start_server(connections.take, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    try:
        async with asking(openai_base_url=f"http://127.0.0.1:{port}/v1") as asks:
            assert (await asks.failure()).reason == "connection_lost"
    finally:
        listening.close()
        await connections.end()


async def test_an_endpoint_is_asked_by_way_of_the_environments_proxy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running_provider() as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        proxy.acts(Answers(GOOD))
        async with asking(proxy, openai_base_url="http://models.invalid/v1") as asks:
            assert (await asks.ask()).output_json == GOOD_JSON
    assert proxy.asked[0].path == "http://models.invalid/v1/chat/completions"


def test_a_proxy_is_named_for_all_hosts_but_some(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    assert proxy_of("https://models.example.com/v1") is None
    monkeypatch.setenv("all_proxy", "proxy.example.com:3128")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    assert proxy_of("https://models.example.com/v1") == "http://proxy.example.com:3128"
    assert proxy_of("http://127.0.0.1:9/v1") is None


async def test_a_name_and_a_password_in_the_url_go_in_place_of_the_key(asks: Asking) -> None:
    url = asks.provider.base_url.replace("//", "//me:secret@")
    asks.provider.acts(Answers(GOOD))
    async with asking(asks.provider, openai_base_url=url) as others:
        await others.ask()
    told = asks.provider.asked[0].headers["authorization"]
    assert told == "Basic " + b64encode(b"me:secret").decode()
    assert KEY not in told


async def test_a_slash_at_the_end_of_the_url_changes_nothing(asks: Asking) -> None:
    asks.provider.acts(Answers(GOOD))
    async with asking(asks.provider, openai_base_url=f"{asks.provider.base_url}/") as others:
        await others.ask()
    assert asks.provider.asked[0].path == "/v1/chat/completions"


async def test_a_number_that_only_python_can_write_is_asked_with(asks: Asking) -> None:
    asks.provider.acts(Answers(GOOD))
    await asks.ask(replace(DEFINITION, parameters={"seed": 2**70}))
    assert asks.provider.asked[0].body["seed"] == 2**70
