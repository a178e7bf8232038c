"""`connect` and a real gateway: what one says the others hear, whatever is killed in between."""

import asyncio

import pytest

from parley.client import (
    Conversation,
    Heard,
    Interim,
    Interrupted,
    Message,
    Presence,
    Refused,
    Resumed,
    Speech,
    StateChanged,
    connect,
)
from tests.support.processes import ServiceProcess
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def heard(conversation: Conversation, *kinds: type[Heard]) -> list[Heard]:
    """The next frames of these kinds, in their order; presence comes and goes in between."""
    found: list[Heard] = []
    async with asyncio.timeout(20):
        for kind in kinds:
            while isinstance(frame := await anext(conversation), Presence | Speech):
                if isinstance(frame, kind):
                    break
            assert isinstance(frame, kind), frame
            found.append(frame)
    return found


async def test_what_one_says_the_other_hears(gateway: ServiceProcess) -> None:
    user = connect(gateway.url, "c", client_id="phone", user_id="u", deliver="others")
    agent = connect(gateway.url, "c", client_id="agent", deliver="others")
    async with user as phone, agent as voice:
        phone.interim("hel", "u1")
        [interim] = await heard(voice, Interim)
        assert isinstance(interim, Interim)
        assert (interim.text, interim.utterance_id) == ("hel", "u1")
        said = await phone.say("hello", utterance_id="u1", metadata={"a": 1})
        [message] = await heard(voice, Message)
        assert isinstance(message, Message)
        assert (message.event_id, message.position) == (said.event_id, said.position)
        assert (message.text, message.user_id, message.client_id) == ("hello", "u", "phone")
        assert (message.id, message.metadata) == (said.id, {"a": 1})
        reply = await voice.respond("a very long answer")
        await voice.interrupted("a very", reply)
        _, cut = await heard(phone, Message, Interrupted)
        assert isinstance(cut, Interrupted)
        assert (cut.target_event_id, cut.text) == (reply.event_id, "a very")
        await phone.end()


async def test_a_transition_is_seen_by_all_and_a_wrong_one_says_what_is_allowed(
    gateway: ServiceProcess,
) -> None:
    async with connect(gateway.url, "c") as one, connect(gateway.url, "c") as other:
        assert one.state == "idle"
        await one.transition("listening", cause="testing")
        [changed] = await heard(other, StateChanged)
        assert isinstance(changed, StateChanged)
        assert (changed.state, changed.previous_state) == ("listening", "idle")
        assert (changed.cause, other.state) == ("testing", "listening")
        with pytest.raises(Refused) as refused:
            await other.transition("waiting_for_user")
        assert refused.value.code == "invalid_transition"
        assert (refused.value.state, refused.value.retryable) == ("listening", False)
        assert set(refused.value.allowed) == {"idle", "processing", "error", "ended"}


async def test_over_kills_of_the_gateway_everything_is_heard_once_and_in_order(
    gateway: ServiceProcess,
) -> None:
    listening = connect(gateway.url, "c", client_id="ear")
    speaking = connect(gateway.url, "c", client_id="mouth", deliver="none")
    async with listening as ear, speaking as mouth:

        async def hear() -> list[str]:
            texts: list[str] = []
            async for frame in ear:
                assert isinstance(frame, Message | Presence | Resumed), frame
                assert not isinstance(frame, Resumed) or frame.recovered
                if isinstance(frame, Message):
                    texts.append(frame.text)
                    if frame.text == "last":
                        break
            return texts

        hearing = asyncio.create_task(hear())
        for number in range(200):
            if number in (50, 120):
                await asyncio.to_thread(gateway.kill)
                await asyncio.to_thread(gateway.start)
            await mouth.say(str(number))
        await mouth.say("last")
        async with asyncio.timeout(30):
            assert await hearing == [*map(str, range(200)), "last"]
        assert ear.session_id != mouth.session_id


async def test_what_is_said_while_the_gateway_is_away_waits_for_it(
    gateway: ServiceProcess,
) -> None:
    async with connect(gateway.url, "c", patience_s=60) as talk:
        await asyncio.to_thread(gateway.kill)
        saying = [asyncio.create_task(talk.say(str(number))) for number in range(20)]

        async def is_lost() -> bool:
            return not talk.is_connected

        await eventually(is_lost)
        await asyncio.to_thread(gateway.start)
        acks = await asyncio.gather(*saying)
        frames: list[Message] = []
        async with asyncio.timeout(20):
            while len(frames) < 20:
                frame = await anext(talk)
                if isinstance(frame, Message):
                    frames.append(frame)
    assert [one.text for one in frames] == [str(number) for number in range(20)]
    assert [one.event_id for one in frames] == [ack.event_id for ack in acks]
