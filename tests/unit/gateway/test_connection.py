"""One connection over a socket without a network and a producer without Kafka."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from fastapi import WebSocket

from parley.events import SessionEnded, SessionStarted
from services.gateway.connection.connections import Connections
from services.gateway.settings import GatewaySettings
from tests.support.wait import eventually
from tests.unit.gateway.fakes import FakeProducer, Metadata, parts


class FakeSocket:
    """What the gateway asks of a WebSocket, and the client's end of it."""

    client = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never written

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.close_code: int | None = None

    async def accept(self, subprotocol: str | None = None) -> None:
        """Accepted."""

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send_text(self, text: str) -> None:
        if self.close_code is not None:
            raise RuntimeError("closed")
        self.sent.append(json.loads(text))

    async def close(self, code: int) -> None:
        self.close_code = self.close_code or code
        self.leave()

    def say(self, kind: str, frame_id: str | None = None, **payload: Any) -> None:
        text = json.dumps({"type": kind, "id": frame_id, "payload": payload})
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1005})

    def answers(self, kind: str) -> list[dict[str, Any]]:
        return [one["payload"] for one in self.sent if one["type"] == kind]


class Scene:
    """A gateway with one client, who has said hello."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.producer = FakeProducer()
        made = parts(self.producer, settings)
        self.sessions = made.sessions
        self.connections = Connections(made)
        self.socket = FakeSocket()

    async def connect(self) -> None:
        self.socket.say("hello")
        self.serving = asyncio.create_task(
            self.connections.serve(cast(WebSocket, self.socket), "c", None)
        )
        await self.until(lambda: bool(self.socket.sent))

    async def until(self, condition: Any) -> None:
        async def is_true() -> bool:
            return bool(condition())

        await eventually(is_true, timeout=5, every=0.005)


@asynccontextmanager
async def scene(**settings: Any) -> AsyncIterator[Scene]:
    made = Scene(GatewaySettings(**settings))
    await made.connect()
    try:
        yield made
    finally:
        made.socket.leave()
        await made.serving


async def test_past_the_frames_in_flight_the_socket_is_not_read() -> None:
    async with scene(gateway_max_in_flight=3) as one:
        one.producer.acknowledges = False
        for number in range(10):
            one.socket.say("ai_response", str(number), text="x")
        await one.until(lambda: len(one.producer.pending) == 3)
        await asyncio.sleep(0)
        assert one.socket.incoming.qsize() == 7
        one.producer.pending[0].set_result(Metadata(0, 1))
        await one.until(lambda: len(one.producer.pending) == 4)
        assert one.socket.incoming.qsize() == 6
        one.producer.acknowledges = True
        for pending in one.producer.pending[1:]:
            pending.set_result(Metadata(0, 1))
        await one.until(lambda: len(one.socket.answers("ack")) == 10)


async def test_what_kafka_does_not_acknowledge_is_one_error_and_may_be_sent_again() -> None:
    async with scene(gateway_ack_timeout=timedelta(milliseconds=50)) as one:
        one.producer.acknowledges = False
        for number in range(5):
            one.socket.say("ai_response", str(number), text="x")
        await one.until(lambda: len(one.socket.answers("error")) == 5)
        errors = one.socket.answers("error")
        assert {error["id"] for error in errors} == set("01234")
        assert {(error["code"], error["retryable"]) for error in errors} == {("not_durable", True)}
        one.producer.acknowledges = True
        one.socket.say("ai_response", "0", text="x")
        await one.until(lambda: one.socket.answers("ack"))
        first, *_, last = [one for one in one.producer.events() if one.client_message_id == "0"]
        assert first.event_id == last.event_id == one.socket.answers("ack")[0]["event_id"]


async def test_what_is_too_much_for_the_process_says_when_to_try_again() -> None:
    async with scene(gateway_max_unacknowledged=2) as one:
        one.producer.acknowledges = False
        for number in range(3):
            one.socket.say("ai_response", str(number), text="x")
        await one.until(lambda: one.socket.answers("error"))
        [error] = one.socket.answers("error")
        assert (error["id"], error["code"], error["retry_after_ms"]) == ("2", "overloaded", 1_000)
        for pending in one.producer.pending:
            pending.set_result(Metadata(0, 1))
        await one.until(lambda: len(one.socket.answers("ack")) == 2)


async def test_an_end_comes_after_the_frames_before_it() -> None:
    async with scene() as one:
        for number in range(5):
            one.socket.say("ai_response", str(number), text="x")
        one.socket.say("end", "end")
        await one.serving
        assert one.socket.close_code == 1000
        assert one.socket.answers("ack")[-1]["id"] == "end"
        *_, last = one.producer.events()
        assert isinstance(last.body, SessionEnded)


async def test_an_end_that_is_not_durable_leaves_the_session_open() -> None:
    async with scene(gateway_ack_timeout=timedelta(milliseconds=50)) as one:
        one.producer.acknowledges = False
        one.socket.say("end", "1")
        await one.until(lambda: one.socket.answers("error"))
        assert one.sessions.present_count == 1
        one.producer.acknowledges = True
        one.socket.say("end", "1")
        await one.serving
        assert one.socket.answers("ack")[0]["id"] == "1"


async def test_a_hello_that_is_not_durable_is_told_and_closed_for_later() -> None:
    one = Scene(GatewaySettings(gateway_ack_timeout=timedelta(milliseconds=50)))
    one.producer.acknowledges = False
    await one.connect()
    await one.serving
    assert one.socket.answers("error")[0]["code"] == "not_durable"
    assert one.socket.close_code == 1013
    assert one.sessions.present_count == 0


async def test_what_a_client_sent_before_it_went_is_recorded() -> None:
    async with scene() as one:
        for number in range(5):
            one.socket.say("ai_response", str(number), text="x")
        one.socket.leave()
        await one.serving
        start, *said = one.producer.events()
        assert isinstance(start.body, SessionStarted)
        assert [event.client_message_id for event in said] == list("01234")


async def test_a_lost_client_that_may_not_be_waited_for_ends_its_session_at_once() -> None:
    async with scene(gateway_max_waiting_sessions=0) as one:
        one.socket.leave()
        await one.serving
        *_, last = one.producer.events()
        assert isinstance(last.body, SessionEnded)


async def test_a_client_that_is_sent_elsewhere_does_not_end_its_session() -> None:
    async with scene(gateway_max_waiting_sessions=0) as one:
        await one.connections.drain()
        await one.serving
        assert [type(event.body) for event in one.producer.events()] == [SessionStarted]


async def test_a_client_that_drains_is_told_and_what_is_in_flight_is_answered() -> None:
    async with scene() as one:
        one.producer.acknowledges = False
        one.socket.say("ai_response", "1", text="x")
        await one.until(lambda: one.producer.pending)
        draining = asyncio.create_task(one.connections.drain())
        await one.until(lambda: one.socket.answers("connection_status")[-1]["status"] == "draining")
        one.socket.say("ai_response", "2", text="x")
        await one.until(lambda: one.socket.answers("error"))
        [error] = one.socket.answers("error")
        assert (error["id"], error["code"], error["retryable"]) == ("2", "draining", True)
        one.producer.pending[0].set_result(Metadata(0, 1))
        await draining
        assert one.socket.answers("ack")[0]["id"] == "1"
        assert one.socket.close_code == 1012
