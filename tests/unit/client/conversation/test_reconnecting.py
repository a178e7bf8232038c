"""`connect` goes on where it was after a lost connection."""

import asyncio

import pytest

from parley.client import (
    Conversation,
    Gap,
    Refused,
    Resumed,
    connect,
)
from tests.support.wait import eventually
from tests.unit.client.conversation.hearing import heard, message
from tests.unit.client.gateways import Gateway, Peer, Taken


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
