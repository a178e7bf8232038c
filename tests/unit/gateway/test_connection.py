"""One connection over a socket without a network and a producer without Kafka."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from fastapi import WebSocket

from parley.events import SessionEnded, SessionStarted
from services.gateway.connection.connections import Connections
from services.gateway.connection.web_socket import LINE
from services.gateway.core.outgoing import OutFrame
from services.gateway.settings import GatewaySettings
from tests.support.wait import eventually
from tests.unit.gateway.fakes import FakeProducer, parts


class FakeSocket:
    """What the gateway asks of a WebSocket, above ASGI and below, and the client's end of it."""

    client = None
    headers: dict[str, str] = {}  # noqa: RUF012 - never written

    def __init__(self) -> None:
        self.scope = {"state": {LINE: self}}
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.close_code: int | None = None
        self.is_writable = True
        # Sent by the client and not read yet.
        self.unread: deque[str | bytes] = deque()
        self.is_read = True
        self.take: Callable[[str | bytes], None] | None = None
        self.on_writable: Callable[[], None] = lambda: None

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

    def hand_over(
        self, take: Callable[[str | bytes], None], on_writable: Callable[[], None]
    ) -> None:
        self.take, self.on_writable = take, on_writable
        self._read()

    def write(self, text: bytes) -> None:
        if self.close_code is None:
            self.sent.append(json.loads(text))

    def hold(self) -> None:
        self.is_read = False

    def go_on(self) -> None:
        self.is_read = True
        asyncio.get_running_loop().call_soon(self._read)

    def evict(self, code: int) -> None:
        self.close_code = code
        self.leave()

    def _read(self) -> None:
        while self.take is not None and self.is_read and self.unread:
            self.take(self.unread.popleft())

    # --- the client's end ---------------------------------------------------------------------

    def say(self, kind: str, frame_id: str | None = None, **payload: Any) -> None:
        text = json.dumps({"type": kind, "id": frame_id, "payload": payload})
        if self.take is None and kind == "hello":
            self.incoming.put_nowait({"type": "websocket.receive", "text": text})
            return
        self.unread.append(text)
        self._read()

    def say_at_once(self, count: int) -> None:
        """Messages that one read brings, whether there is room for them or not."""
        assert self.take is not None
        for number in range(count):
            frame = {"type": "ai_response", "id": str(number), "payload": {"text": "x"}}
            self.take(json.dumps(frame))

    def read_on(self) -> None:
        """Take again what the gateway sends."""
        self.is_writable = True
        self.on_writable()

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": 1005})

    def answers(self, kind: str) -> list[Any]:
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
        await self.until(lambda: self.socket.take is not None or self.serving.done())

    async def until(self, condition: Any) -> None:
        async def is_true() -> bool:
            return bool(condition())

        await eventually(is_true, timeout=5, every=0.005)


def frame(number: int) -> str:
    return json.dumps({"type": "number", "payload": number})


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
        await one.until(lambda: one.producer.pending)
        await asyncio.sleep(0)
        assert len(one.producer.accepted) == 1 + 3
        assert len(one.socket.unread) == 7
        one.producer.pending[0].set_result(None)
        await one.until(lambda: len(one.producer.accepted) == 1 + 6)
        assert len(one.socket.unread) == 4
        one.producer.acknowledge()
        await one.until(lambda: len(one.socket.answers("ack")) == 10)


async def test_what_one_read_brought_too_much_waits_and_stays_in_order() -> None:
    async with scene(gateway_max_in_flight=3) as one:
        one.socket.say_at_once(20)
        await one.until(lambda: len(one.socket.answers("ack")) == 20)
        assert [ack["id"] for ack in one.socket.answers("ack")] == [str(n) for n in range(20)]
        assert max(len(batch) for batch in one.producer.batches) == 3
        assert one.socket.is_read


async def test_what_waits_for_room_is_recorded_although_the_client_has_gone() -> None:
    async with scene(gateway_max_in_flight=3) as one:
        one.socket.say_at_once(20)
        one.socket.is_writable = False
        one.socket.leave()
        await one.serving
        _, *said = one.producer.events()
        assert [event.client_message_id for event in said] == [str(n) for n in range(20)]


async def test_who_does_not_read_its_answers_is_not_heard_until_it_does() -> None:
    async with scene() as one:
        one.socket.say("ai_response", "1", text="x")
        one.socket.is_writable = False
        for number in range(2, 10):
            one.socket.say("ai_response", str(number), text="x")
        await one.until(lambda: one.socket.answers("ack"))
        await asyncio.sleep(0.01)
        heard = len(one.producer.accepted) - 1
        assert heard == 2
        one.socket.read_on()
        await one.until(lambda: len(one.socket.answers("ack")) == 9)


async def test_frames_behind_a_transition_come_behind_it_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Nobody decides here.
    monkeypatch.setattr("services.gateway.talk.DECISION_PATIENCE_S", 0.05)
    async with scene() as one:
        one.producer.acknowledges = False
        one.socket.say("ai_response", "1", text="x")
        one.socket.say("state_update", "2", state="listening")
        one.socket.say("ai_response", "3", text="x")
        one.producer.acknowledge()
        await one.until(lambda: len(one.producer.accepted) == 4)
        _, *said = one.producer.events()
        assert [event.client_message_id for event in said] == ["1", "2", "3"]


async def test_frames_for_a_reader_that_is_slow_wait_for_it_in_order() -> None:
    async with scene() as one:
        [connection] = one.connections._open
        one.socket.is_writable = False
        for number in range(3):
            connection.push(OutFrame("transcript_update", frame(number), offset=number))
        assert one.socket.answers("number") == []
        # There is room again, and the gateway has not been told yet.
        one.socket.is_writable = True
        connection.push(OutFrame("transcript_update", frame(3), offset=3))
        one.socket.read_on()
        assert one.socket.answers("number") == [0, 1, 2, 3]


async def test_a_reader_that_is_too_slow_is_sent_away() -> None:
    async with scene(gateway_max_unsent=16) as one:
        [connection] = one.connections._open
        one.socket.is_writable = False
        for number in range(17):
            assert one.socket.close_code is None
            connection.push(OutFrame("transcript_update", frame(number), offset=number))
        await one.serving
        assert one.socket.close_code == 1013


async def test_a_frame_that_is_no_text_is_refused_and_the_talk_goes_on() -> None:
    async with scene() as one:
        assert one.socket.take is not None
        one.socket.take(b"\0")
        [error] = one.socket.answers("error")
        assert error["code"] == "binary_frame"
        one.socket.say("ping")
        assert one.socket.answers("pong") == [{}]


async def test_what_kafka_does_not_acknowledge_is_one_error_and_may_be_sent_again() -> None:
    async with scene(gateway_ack_timeout=timedelta(milliseconds=500)) as one:
        one.producer.acknowledges = False
        for number in range(5):
            one.socket.say("ai_response", str(number), text="x")
        await one.until(lambda: len(one.socket.answers("error")) == 5)
        errors = one.socket.answers("error")
        assert {error["id"] for error in errors} == set("01234")
        assert {(error["code"], error["retryable"]) for error in errors} == {("not_durable", True)}
        one.producer.acknowledge()
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
        one.producer.acknowledge()
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


async def test_what_comes_behind_an_end_is_not_heard() -> None:
    async with scene() as one:
        assert one.socket.take is not None
        one.socket.take(json.dumps({"type": "end", "id": "end", "payload": {}}))
        one.socket.say_at_once(3)
        await one.serving
        assert [answer["id"] for answer in one.socket.answers("ack")] == ["end"]
        assert len(one.producer.accepted) == 2


async def test_an_end_that_is_not_durable_leaves_the_session_open() -> None:
    async with scene(gateway_ack_timeout=timedelta(milliseconds=500)) as one:
        one.producer.acknowledges = False
        one.socket.say("end", "1")
        await one.until(lambda: one.socket.answers("error"))
        assert one.sessions.present_count == 1
        one.producer.acknowledge()
        one.socket.say("end", "1")
        await one.serving
        assert one.socket.answers("ack")[0]["id"] == "1"


async def test_a_hello_that_is_not_durable_is_told_and_closed_for_later() -> None:
    one = Scene(GatewaySettings(gateway_ack_timeout=timedelta(milliseconds=500)))
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
        one.producer.acknowledge()
        await draining
        assert one.socket.answers("ack")[0]["id"] == "1"
        assert one.socket.close_code == 1012
