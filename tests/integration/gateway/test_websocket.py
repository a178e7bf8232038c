"""Conversations over the WebSocket, into the real log."""

import asyncio
import json
from datetime import timedelta

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from parley import clock
from parley.events import (
    EndReason,
    MessageRecorded,
    Role,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from parley.ids import message_event_id
from parley.settings import Settings
from tests.integration.gateway.clients import connected, logged, place
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_a_message_is_acknowledged_with_its_place_in_the_log(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        status = await client.hello(client_id="me", user_id="u", channel="demo")
        ack = await client.said("1", "how are you?", language="en", metadata={"a": 1})
    assert ack["event_id"] == message_event_id("default", "c", "anonymous", "me", "1")
    _, (where, message) = (await logged(settings, "c"))[:2]
    assert where == place(ack["position"])
    assert message.event_id == ack["event_id"]
    assert isinstance(message.body, MessageRecorded)
    assert message.body.content.text == "how are you?"
    assert (message.user_id, message.channel) == ("u", "demo")
    assert message.session_id == status["session_id"]


async def test_the_whole_talk_is_in_the_log_in_order(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c", **{"User-Agent": "test"}) as client:
        await client.hello()
        await client.said("1")
        await client.send("ai_response", "2", text="hello yourself")
        await client.receive()
        await client.send("end", "3")
        assert (await client.receive())["type"] == "ack"
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1000
    events = [event for _, event in await logged(settings, "c")]
    start, first, second, end = [event.body for event in events]
    assert isinstance(start, SessionStarted)
    assert (start.generation, start.client_ip, start.user_agent) == (1, "127.0.0.1", "test")
    assert isinstance(first, MessageRecorded)
    assert isinstance(second, MessageRecorded)
    assert (first.role, second.role) == (Role.USER, Role.ASSISTANT)
    assert end == SessionEnded(1, EndReason.EXPLICIT, start.connection_id)
    assert len({event.session_id for event in events}) == 1


async def test_frames_sent_at_once_are_all_acknowledged_and_stay_in_order(
    settings: Settings, gateway: ServiceProcess
) -> None:
    text = "x" * 20_000  # So that the producer's buffer fills up, several times.
    async with connected(gateway, "c") as client:
        await client.hello()
        sending = asyncio.gather(*(client.say(str(number), text) for number in range(300)))
        acks = [await client.receive() for _ in range(300)]
        await sending
    assert {ack["type"] for ack in acks} == {"ack"}
    said = [event.client_message_id for _, event in await logged(settings, "c")]
    assert [one for one in said if one] == [str(number) for number in range(300)]


async def test_the_same_id_is_the_same_event_over_another_connection_and_gateway(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        client_id = (await client.hello())["client_id"]
        first = await client.said("1")
    with ServiceProcess("gateway", settings) as other:
        async with connected(other, "c") as client:
            await client.hello(client_id=client_id)
            again = await client.said("1")
        async with connected(other, "c") as client:
            await client.hello()
            stranger = await client.said("1")
    assert again["event_id"] == first["event_id"]
    assert again["position"] != first["position"]
    assert stranger["event_id"] != first["event_id"]


async def test_a_buffered_message_keeps_its_age_although_the_clock_is_wrong(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        await client.hello()
        await client.said(
            "1", occurred_at="2001-01-01T00:00:00Z", sent_at="2001-01-01T02:00:00+01:00"
        )
    [message] = [event for _, event in await logged(settings, "c") if event.client_message_id]
    assert message.received_at - message.event_time == timedelta(hours=1)
    assert clock.now() - message.received_at < timedelta(minutes=1)


async def test_a_lost_client_ends_its_session_when_it_does_not_come_back(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        await client.hello()

    async def ended() -> bool:
        return len(await logged(settings, "c")) > 1

    await eventually(ended)
    (_, start), (_, end) = await logged(settings, "c")
    assert isinstance(end.body, SessionEnded)
    assert (end.body.generation, end.body.reason) == (1, EndReason.DISCONNECTED)
    assert end.session_id == start.session_id
    # It was over when the client went, and was waited for a second.
    assert end.received_at - end.event_time >= timedelta(seconds=1)


async def test_a_client_that_comes_back_goes_on_with_its_session(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        first = await client.hello(client_id="me")
    back = {"session_id": first["session_id"], "generation": first["generation"]}
    async with connected(gateway, "c") as client:
        second = await client.hello(client_id="me", **back)
        assert (second["session_id"], second["generation"]) == (first["session_id"], 2)
    # A session that begins and ends afterwards shows that the first end would have come by now.
    async with connected(gateway, "c") as client:
        await client.hello()

    async def both_over() -> bool:
        bodies = [event.body for _, event in await logged(settings, "c")]
        return sum(isinstance(body, SessionEnded) for body in bodies) > 1

    await eventually(both_over)
    events = [event for _, event in await logged(settings, "c")]
    own = [event.body for event in events if event.session_id == first["session_id"]]
    assert [type(body) for body in own] == [SessionStarted, SessionResumed, SessionEnded]
    assert isinstance(own[-1], SessionEnded)
    assert own[-1].generation == 2


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("", "invalid_json"),
        ("[]", "invalid_frame"),
        ("{}", "unknown_type"),
        ('{"type": "state_update", "id": "1"}', "invalid_frame"),
        ('{"type": "dance", "id": "1"}', "unknown_type"),
        ('{"type": "ai_response", "payload": {"text": "x"}}', "id_required"),
        ('{"type": "ai_response", "id": "1", "payload": {"text": "\\u0000"}}', "invalid_frame"),
        ('{"type": "ai_response", "id": "1", "payload": {"text": "\\udc00"}}', "invalid_json"),
        ('{"type": "transcript_update", "id": "1", "payload": {"text": "x"}}', "invalid_frame"),
        ('{"type": "hello"}', "already_connected"),
        ("[" * 60_000, "invalid_json"),
        (b"\x00\xff", "binary_frame"),
        (
            json.dumps({"type": "ai_response", "id": "x" * 600, "payload": {"text": "x"}}),
            "invalid_frame",
        ),
    ],
)
async def test_a_wrong_frame_is_answered_and_the_talk_goes_on(
    gateway: ServiceProcess, sent: str | bytes, code: str
) -> None:
    async with connected(gateway, "c") as client:
        await client.hello()
        await client.socket.send(sent)
        frame = await client.receive()
        assert (frame["type"], frame["payload"]["code"]) == ("error", code)
        assert frame["payload"]["retryable"] is False
        await client.said("2")
    assert "Traceback" not in gateway.output


async def test_a_frame_that_is_too_large_closes_the_connection_with_1009(
    gateway: ServiceProcess,
) -> None:
    async with connected(gateway, "c") as client:
        await client.hello()
        await client.say("1", "x" * 70_000)
        with pytest.raises(ConnectionClosed) as closed:
            await client.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    assert "Traceback" not in gateway.output


async def test_whoever_does_not_say_hello_is_shown_out(settings: Settings) -> None:
    with ServiceProcess("gateway", settings, PARLEY_GATEWAY_HELLO_TIMEOUT="0.3") as gateway:
        async with connected(gateway, "c") as client:
            await client.say("1")
            assert (await client.receive())["payload"]["code"] == "hello_required"
            assert (await client.receive())["payload"]["code"] == "hello_timeout"
            with pytest.raises(ConnectionClosed):
                await client.receive()
    assert await logged(settings, "c") == []


async def test_a_page_from_elsewhere_is_refused_before_it_is_accepted(
    gateway: ServiceProcess,
) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connected(gateway, "c", Origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403
    async with connected(gateway, "c", Origin=gateway.url) as client:
        await client.hello()


async def test_sigterm_sends_everybody_elsewhere_and_ends_at_once(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with connected(gateway, "c") as client:
        await client.hello()
        for number in range(20):
            await client.say(str(number))
        started_s = clock.monotonic()
        stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
        frames = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                frames.append(await client.receive())
        assert await stopping == 0
    assert clock.monotonic() - started_s < 5
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    statuses = [one["payload"]["status"] for one in frames if one["type"] == "connection_status"]
    assert statuses == ["draining"]
    # What was in flight was answered: recorded, or to be sent again elsewhere.
    answers = {one["payload"]["id"]: one for one in frames if one["type"] != "connection_status"}
    kept = {event.client_message_id for _, event in await logged(settings, "c")}
    assert {name for name, one in answers.items() if one["type"] == "ack"} <= kept
    assert all(one["payload"].get("retryable", True) for one in answers.values())
    # Nobody ended the session: its client may be on its way to another gateway.
    assert not any(isinstance(one.body, SessionEnded) for _, one in await logged(settings, "c"))
