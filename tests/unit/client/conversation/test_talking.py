"""`connect`: what is said is acknowledged, and every kind of frame is heard."""

from datetime import UTC, datetime

import pytest

from parley.client import (
    Ack,
    Corrected,
    Gap,
    Interim,
    Interrupted,
    Message,
    Presence,
    Problem,
    Refused,
    Speech,
    StateChanged,
    connect,
)
from tests.unit.client.conversation.hearing import heard, message
from tests.unit.client.gateways import Gateway


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


async def test_a_message_is_heard_that_is_as_long_as_any_can_be_written(gateway: Gateway) -> None:
    # Of each such character a record has one byte, and JSON six.
    longest = "\x01" * 999_000
    async with connect(gateway.url, "c") as talk:
        await message(gateway.peers[0], 1, text=longest)
        [found] = await heard(talk, 1)
    assert isinstance(found, Message)
    assert found.text == longest


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


async def test_whoever_wants_answers_only_asks_for_no_frames(gateway: Gateway) -> None:
    async with connect(gateway.url, "c", deliver="none") as talk:
        gateway.peers[0].socket.transport.abort()
        await talk.say("x")
    assert [one["deliver"] for one in gateway.hellos] == ["none", "none"]
    assert "position" not in gateway.hellos[1]


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


async def test_an_error_in_the_body_comes_through_and_the_connection_is_closed(
    gateway: Gateway,
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with connect(gateway.url, "c"):
            _ = 1 / 0
    await gateway.peers[0].socket.wait_closed()
