"""What a broker that is away does to aiokafka, and what we make of it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaConnectionError

from parley.cli.running import as_user_error, run
from parley.log.connections import stop_consumer, tell_of_closed_connections

HEADER = SimpleNamespace(encode=lambda: b"header")
REQUEST = SimpleNamespace(
    prepare=lambda _: SimpleNamespace(
        build_request_header=lambda **_: HEADER, encode=lambda: b"request"
    )
)


async def write_to_a_reset_connection() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection: Any = AIOKafkaConnection("127.0.0.1", port, request_timeout_ms=1_000)
    connection._reader, connection._writer = await asyncio.open_connection("127.0.0.1", port)
    # Who reads has not heard of it yet.
    connection._read_task = asyncio.ensure_future(asyncio.sleep(60))
    connection._writer.transport.abort()
    await asyncio.sleep(0.05)
    try:
        await connection.send(REQUEST)
    finally:
        server.close()


def test_who_writes_to_a_connection_that_was_reset_hears_of_a_broken_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As aiokafka made it, whatever ran before in this process; at the end it is as before.
    made = getattr(AIOKafkaConnection.send, "__wrapped__", AIOKafkaConnection.send)
    monkeypatch.setattr(AIOKafkaConnection, "send", made)
    with pytest.raises(RuntimeError, match="handler is closed"):
        uvloop.run(write_to_a_reset_connection())
    tell_of_closed_connections()
    telling = AIOKafkaConnection.send
    with pytest.raises(KafkaConnectionError):
        uvloop.run(write_to_a_reset_connection())
    tell_of_closed_connections()
    assert AIOKafkaConnection.send is telling


def test_every_command_hears_of_closed_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    made = getattr(AIOKafkaConnection.send, "__wrapped__", AIOKafkaConnection.send)
    monkeypatch.setattr(AIOKafkaConnection, "send", made)

    async def work() -> bool:
        return hasattr(AIOKafkaConnection.send, "__wrapped__")

    assert run(work())


def test_an_error_without_words_is_called_by_its_kind() -> None:
    assert "TimeoutError" in str(as_user_error(TimeoutError()))


async def test_a_consumer_stops_while_a_fetch_of_it_waits_to_try_again() -> None:
    consumer: Any = AIOKafkaConsumer(bootstrap_servers="127.0.0.1:1")
    consumer._fetcher = fetcher.Fetcher(consumer._client, consumer._subscription)
    # It has looked for an assignment, and waits for one.
    await asyncio.sleep(0)
    consumer._fetcher._pending_tasks.add(asyncio.create_task(asyncio.sleep(60)))
    await asyncio.sleep(0)
    closed = asyncio.Event()

    async def close() -> None:
        closed.set()

    consumer._client.close = close
    await asyncio.create_task(stop_consumer(consumer))
    assert closed.is_set()


async def test_who_is_cancelled_while_a_consumer_stops_is_told() -> None:
    class Hanging:
        async def stop(self) -> None:
            await asyncio.sleep(60)

    stopping = asyncio.create_task(stop_consumer(Hanging()))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
