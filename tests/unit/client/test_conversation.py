"""Tests of `connect` against a gateway that drops, refuses, repeats and forgets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from parley import clock
from parley.client import (
    Ack,
    Conversation,
    Corrected,
    Gap,
    Heard,
    Interim,
    Interrupted,
    InvalidArgument,
    Message,
    Presence,
    Problem,
    Refused,
    Resumed,
    Speech,
    StateChanged,
    connect,
)
from tests.support.wait import eventually
from tests.unit.client.gateways import Gateway, Peer, Taken


async def heard(conversation: Conversation, count: int) -> list[Heard]:
    async with asyncio.timeout(10):
        return [await anext(conversation) for _ in range(count)]


async def message(peer: Peer, number: int, **more: Any) -> None:
    payload = {"event_id": f"e{number}", "text": f"text {number}", "is_final": True, "role": "user"}
    await peer.send("transcript_update", {**payload, **more}, f"p{number}")


async def test_what_is_said_returns_its_acknowledgement(gateway: Gateway) -> None:
    async with connect(gateway.url, "c", user_id="u", token="t", metadata={"a": 1}) as talk:
        ack = await talk.say("hello", metadata={"b": 2}, language="en", utterance_id="1")
        assert isinstance(ack, Ack)
        assert (ack.event_id, ack.position) == (f"e-{ack.id}", f"p-{ack.id}")
        assert talk.session_id == "s-1"
        reply = await talk.respond("hi", audio_url="https://x/a.wav")
        assert reply.id != ack.id
    [hello] = gateway.hellos
    assert (hello["token"], hello["user_id"], hello["metadata"]) == ("t", "u", {"a": 1})
    assert hello["client_id"]
    first, second = gateway.taken
    assert (first.kind, first.payload["is_final"], first.payload["metadata"]) == (
        "transcript_update",
        True,
        {"b": 2},
    )
    assert (second.kind, second.payload["audio_url"]) == ("ai_response", "https://x/a.wav")
    assert {"occurred_at", "sent_at"} <= first.payload.keys()


async def test_live_frames_have_no_id_and_count_up(gateway: Gateway) -> None:
    async with connect(gateway.url, "c") as talk:
        assert talk.interim("hel", "u1", language="en")
        assert talk.interim("hello", "u1", role="assistant")
        assert talk.speech("speech_started", role="user", utterance_id="u1")
        await talk.say("hello", utterance_id="u1")
    one, two, speech, _ = gateway.taken
    assert one.payload == {
        "text": "hel",
        "role": "user",
        "is_final": False,
        "utterance_id": "u1",
        "sequence": 1,
        "language": "en",
    }
    assert (two.payload["sequence"], two.payload["role"], two.id) == (2, "assistant", None)
    assert speech.payload == {"kind": "speech_started", "role": "user", "utterance_id": "u1"}


async def test_a_transition_an_interruption_and_the_end_are_acknowledged(gateway: Gateway) -> None:
    async with connect(gateway.url, "c") as talk:
        reply = await talk.respond("a long answer")
        await talk.interrupted("a long", reply)
        await talk.interrupted("a long", "mine-7")
        await talk.transition("idle", cause="because", reopen=True)
        await talk.end()
        assert [one async for one in talk] == []
        with pytest.raises(Refused) as refused:
            await talk.say("too late")
        assert refused.value.code == "closed"
    payloads = [{**one.payload} for one in gateway.taken]
    for payload in payloads:
        del payload["sent_at"], payload["occurred_at"]
    assert payloads[1:] == [
        {"kind": "interrupted", "text": "a long", "target_event_id": reply.event_id},
        {"kind": "interrupted", "text": "a long", "target_id": "mine-7"},
        {"state": "idle", "cause": "because", "reopen": True},
        {},
    ]
    assert len(gateway.peers) == 1


async def test_every_kind_of_frame_is_heard_as_its_value(gateway: Gateway) -> None:
    async with connect(gateway.url, "c") as talk:
        [peer] = gateway.peers
        moment = "2026-01-01T00:00:00.500Z"
        more = {"metadata": {"a": 1}, "event_time": moment, "client_id": "x", "audio_url": "u"}
        await message(peer, 1, **more, id="1", session_id="s", language="en", utterance_id="q")
        await peer.send("ai_response", {"event_id": "e2", "text": "b"}, "p2")
        state = {"event_id": "e3", "state": "listening", "previous_state": "idle", "cause": "z"}
        await peer.send("state_update", state, "p3")
        cut = {"kind": "interrupted", "event_id": "e4", "target_event_id": "e2", "text": "b"}
        await peer.send("speech_event", cut, "p4")
        better = {"is_final": True, "is_correction": True, "target_event_id": "e1", "text": "c"}
        await peer.send("transcript_update", {**better, "event_id": "e5"}, "p5")
        interim = {"text": "h", "is_final": False, "utterance_id": "q", "sequence": 4}
        await peer.send("transcript_update", interim)
        await peer.send("ai_response", interim)
        await peer.send("speech_event", {"kind": "speech_started", "role": "user"})
        await peer.send("connection_status", {"status": "presence", "open_connections": 3})
        await peer.error("rate_limited", True, retry_after_ms=5)
        assert await heard(talk, 10) == [
            Message(
                event_id="e1",
                position="p1",
                role="user",
                text="text 1",
                id="1",
                client_id="x",
                session_id="s",
                audio_url="u",
                language="en",
                utterance_id="q",
                metadata={"a": 1},
                event_time=datetime(2026, 1, 1, 0, 0, 0, 500_000, tzinfo=UTC),
            ),
            Message(event_id="e2", position="p2", role="assistant", text="b"),
            StateChanged("e3", "p3", "listening", "idle", "z"),
            Interrupted("e4", "p4", "e2", "b"),
            Corrected("e5", "p5", "e1", "c"),
            Interim("h", "user", "q", 4),
            Interim("h", "assistant", "q", 4),
            Speech("speech_started", "user"),
            Presence(3),
            Problem("rate_limited", "-", retryable=True, retry_after_ms=5),
        ]
        assert (talk.state, talk.position) == ("listening", "p5")


async def test_frames_that_make_no_sense_are_passed_over(gateway: Gateway) -> None:
    async with connect(gateway.url, "c") as talk:
        [peer] = gateway.peers
        for text in ("", "[]", "{}", '{"type": 3}', '{"type": "ack", "payload": []}', "null"):
            await peer.socket.send(text)
        await peer.socket.send('{"type": "from_the_future", "payload": {}}')
        await peer.socket.send(b"\x00\xff")
        await peer.send("transcript_update", {"is_final": True, "event_time": "never"})
        await peer.send("connection_status", {"status": "sunny"})
        await message(peer, 1)
        [frame] = await heard(talk, 1)
        assert isinstance(frame, Message)


async def test_after_a_reconnect_the_stream_goes_on_at_its_position_and_repeats_are_dropped(
    gateway: Gateway,
) -> None:
    async def resume(peer: Peer) -> bool:
        await gateway.welcome(peer, position="p9")
        if "position" in peer.hello and peer.number > 1:
            await peer.send("connection_status", {"status": "resumed", "recovered": True})
            await message(peer, 4)
            await message(peer, 5)
        return True

    gateway.greet = resume
    async with connect(gateway.url, "c") as talk:
        [first] = gateway.peers
        await message(first, 1)
        await message(first, 2)
        # A copy lies later in the log than the message itself.
        copy = {"event_id": "e1", "text": "text 1", "is_final": True}
        await first.send("transcript_update", copy, "p3")
        await message(first, 4)
        seen = await heard(talk, 3)
        first.socket.transport.abort()
        seen += await heard(talk, 2)
        assert talk.is_connected
    assert gateway.hellos[1]["position"] == "p4"
    assert (gateway.hellos[1]["session_id"], gateway.hellos[1]["generation"]) == ("s-1", 1)
    assert [getattr(one, "event_id", one) for one in seen] == [
        "e1",
        "e2",
        "e4",
        Resumed(True),
        "e5",
    ]


async def test_a_client_that_heard_nothing_yet_resumes_from_where_it_connected(
    gateway: Gateway,
) -> None:
    async with connect(gateway.url, "c") as talk:
        gateway.peers[0].socket.transport.abort()
        await talk.say("x")
    assert gateway.hellos[1]["position"] == "p-0"


async def test_what_cannot_be_recovered_is_heard_as_a_gap(gateway: Gateway) -> None:
    async def forget(peer: Peer) -> bool:
        await gateway.welcome(peer)
        if peer.number > 1:
            status = {"status": "resumed", "recovered": False, "reason": "too_old"}
            await peer.send("connection_status", {**status, "position": "p50"})
        return True

    gateway.greet = forget
    async with connect(gateway.url, "c") as talk:
        gateway.peers[0].socket.transport.abort()
        assert await heard(talk, 1) == [Gap("too_old")]
        assert talk.position == "p50"


async def test_whoever_wants_answers_only_asks_for_no_frames(gateway: Gateway) -> None:
    async with connect(gateway.url, "c", deliver="none") as talk:
        gateway.peers[0].socket.transport.abort()
        await talk.say("x")
    assert [one["deliver"] for one in gateway.hellos] == ["none", "none"]
    assert "position" not in gateway.hellos[1]


async def test_what_was_not_acknowledged_is_said_again_in_order_with_its_id(
    gateway: Gateway,
) -> None:
    async def lose(taken: Taken) -> None:
        if taken.peer.number > 1:
            await gateway.acknowledge(taken)
        elif len(gateway.taken) == 5:
            taken.peer.socket.transport.abort()

    gateway.answer = lose
    async with connect(gateway.url, "c") as talk:
        acks = await asyncio.gather(*(talk.say(str(number)) for number in range(5)))
    ids = [ack.id for ack in acks]
    assert gateway.texts() == [*"01234"] * 2
    assert [one.id for one in gateway.taken] == ids * 2


async def test_a_refusal_is_raised_with_what_would_be_allowed(gateway: Gateway) -> None:
    async def refuse(taken: Taken) -> None:
        more = {"id": taken.id, "state": "idle", "allowed": ["listening", "error", "ended"]}
        await taken.peer.error("invalid_transition", False, **more)

    gateway.answer = refuse
    async with connect(gateway.url, "c") as talk:
        with pytest.raises(Refused) as refused:
            await talk.transition("speaking")
    error = refused.value
    assert (error.code, error.retryable, error.state) == ("invalid_transition", False, "idle")
    assert error.allowed == ("listening", "error", "ended")


async def test_a_retryable_refusal_is_tried_until_patience_ends_and_then_again_by_its_id(
    gateway: Gateway,
) -> None:
    async def refuse(taken: Taken) -> None:
        await taken.peer.error("overloaded", True, id=taken.id, retry_after_ms=50)

    gateway.answer = refuse
    async with connect(gateway.url, "c", patience_s=0.5) as talk:
        began_s = clock.monotonic()
        with pytest.raises(Refused) as refused:
            await talk.say("x")
        assert 0.5 <= clock.monotonic() - began_s < 2
        assert (refused.value.code, refused.value.retryable) == ("overloaded", True)
        assert len(gateway.taken) > 3
        gateway.answer = None
        ack = await talk.say("x", id=refused.value.id)
        assert ack.id == refused.value.id
    assert gateway.rows() == ["x"]


async def test_silence_is_not_acknowledged_and_says_so(gateway: Gateway) -> None:
    async def ignore(_: Taken) -> None:
        return

    gateway.answer = ignore
    async with connect(gateway.url, "c", patience_s=0.2) as talk:
        with pytest.raises(Refused) as refused:
            await talk.say("x")
    assert (refused.value.code, refused.value.retryable) == ("not_acknowledged", True)
    assert refused.value.id == gateway.taken[0].id


async def test_what_its_caller_gave_up_is_not_sent_any_more(gateway: Gateway) -> None:
    await gateway.stop()
    with pytest.raises(Refused, match="unreachable"):
        async with connect(gateway.url, "c", patience_s=0.2):
            pass
    await gateway.start()
    async with connect(gateway.url, "c", patience_s=0.2) as talk:
        await gateway.stop()
        with pytest.raises(Refused):
            await talk.say("given up")
        await gateway.start()
        await eventually(lambda: _is_connected(talk))
        await talk.say("said")
    assert gateway.texts() == ["said"]


async def _is_connected(talk: Conversation) -> bool:
    return talk.is_connected


async def test_a_gateway_that_comes_late_is_waited_for() -> None:
    gateway = Gateway()
    await gateway.start()
    await gateway.stop()

    async def come() -> None:
        await asyncio.sleep(0.3)
        await gateway.start()

    coming = asyncio.create_task(come())
    async with connect(gateway.url, "c", patience_s=10) as talk:
        await talk.say("x")
    await coming
    await gateway.stop()
    assert gateway.texts() == ["x"]


@pytest.mark.parametrize("code", ["unauthenticated", "forbidden", "invalid_frame"])
async def test_a_refused_hello_is_raised_at_once(gateway: Gateway, code: str) -> None:
    async def refuse(peer: Peer) -> bool:
        await peer.error(code, False)
        return False

    gateway.greet = refuse
    with pytest.raises(Refused, match=code):
        async with connect(gateway.url, "c"):
            pass
    assert len(gateway.peers) == 1


async def test_a_hello_that_is_refused_for_now_is_said_again(gateway: Gateway) -> None:
    async def refuse_first(peer: Peer) -> bool:
        if peer.number < 3:
            await peer.error("overloaded", True, retry_after_ms=50)
            await peer.close(1013)
            return False
        await gateway.welcome(peer)
        return True

    gateway.greet = refuse_first
    async with connect(gateway.url, "c") as talk:
        await talk.say("x")
    assert len(gateway.peers) == 3


async def test_a_token_that_is_refused_later_ends_the_iteration_with_the_reason(
    gateway: Gateway,
) -> None:
    async def once(peer: Peer) -> bool:
        if peer.number == 1:
            await gateway.welcome(peer)
            return True
        await peer.error("token_expired", False)
        return False

    gateway.greet = once
    async with connect(gateway.url, "c") as talk:
        gateway.peers[0].socket.transport.abort()
        with pytest.raises(Refused, match="token_expired"):
            await heard(talk, 1)
        with pytest.raises(Refused):
            await talk.say("x")


async def test_without_reconnect_a_lost_connection_is_the_end(gateway: Gateway) -> None:
    async def ignore(_: Taken) -> None:
        return

    gateway.answer = ignore
    async with connect(gateway.url, "c", reconnect=False) as talk:
        saying = asyncio.create_task(talk.say("x"))
        await eventually(lambda: _has_taken(gateway))
        gateway.peers[0].socket.transport.abort()
        with pytest.raises(Refused, match="unreachable"):
            await saying
        with pytest.raises(Refused, match="unreachable"):
            await heard(talk, 1)
    assert len(gateway.peers) == 1


async def _has_taken(gateway: Gateway) -> bool:
    return bool(gateway.taken)


async def test_a_reader_that_is_too_slow_hears_of_the_gap_and_acknowledgements_go_on(
    gateway: Gateway,
) -> None:
    async with connect(gateway.url, "c") as talk:
        for number in range(1500):
            await message(gateway.peers[0], number)
        await talk.say("x")
        frames = await heard(talk, 1001)
    assert frames[0] == Gap("slow_reader")
    assert [one.event_id for one in frames[1:] if isinstance(one, Message)] == [
        f"e{number}" for number in range(500, 1500)
    ]


async def test_nothing_wrong_is_sent(gateway: Gateway) -> None:
    nobody: Any = "nobody"
    async with connect(gateway.url, "c") as talk:
        for wrong in (talk.say(""), talk.say("x", role=nobody), talk.say("x" * 70_000)):
            with pytest.raises(InvalidArgument):
                await wrong
        with pytest.raises(InvalidArgument):
            await talk.say("x", metadata={"a": object()})
    assert gateway.taken == []


@asynccontextmanager
async def serving_nothing() -> AsyncIterator[str]:
    """A server that is no gateway."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_server_that_is_no_gateway_is_refused_at_once() -> None:
    async with serving_nothing() as url:
        with pytest.raises(Refused, match="http_404"):
            async with connect(url, "c"):
                pass


async def test_a_server_that_says_nothing_takes_no_longer_than_the_patience() -> None:
    leaving = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await leaving.wait()
        writer.close()

    async with await asyncio.start_server(wait, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        began_s = clock.monotonic()
        with pytest.raises(Refused, match="unreachable"):
            async with connect(url, "c", patience_s=0.3):
                pass
        assert clock.monotonic() - began_s < 3
        leaving.set()


async def test_an_error_in_the_body_comes_through_and_the_connection_is_closed(
    gateway: Gateway,
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connect(gateway.url, "c"):
            _ = 1 / 0
    await gateway.peers[0].socket.wait_closed()
