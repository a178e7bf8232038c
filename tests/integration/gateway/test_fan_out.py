"""Connections of one conversation on several replicas: one order, resumes, states, presence."""

import asyncio
from collections.abc import Iterator

import pytest

from parley.events import ConversationState, StateRequested
from parley.settings import Settings
from tests.integration.gateway.readers import Reader, reading
from tests.support.processes import ServiceProcess
from tests.support.publish import event, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def replicas(settings: Settings) -> Iterator[list[ServiceProcess]]:
    """Two gateways."""
    with ServiceProcess("gateway", settings) as one, ServiceProcess("gateway", settings) as two:
        yield [one, two]


async def test_all_connections_see_the_same_frames_in_the_same_order(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with (
        reading(one, "c", client_id="page") as page,
        reading(two, "c", client_id="agent") as agent,
    ):
        for number in range(20):
            await page.client.say(str(number), f"user {number}")
            await agent.client.send("ai_response", str(number), text=f"agent {number}")
        for reader in (page, agent):
            await reader.until("transcript_update", 20)
            await reader.until("ai_response", 20)
        assert page.durable() == agent.durable()
        assert len(page.durable()) == 40
        assert len({event_id for _, event_id in page.durable()}) == 40


async def test_a_client_that_comes_back_elsewhere_gets_what_it_missed_and_nothing_twice(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c", client_id="talker") as talker:
        async with reading(one, "c", client_id="page") as page:
            await talker.client.say("1")
            await page.until("transcript_update")
            last = page.durable()[-1][0]
        for number in range(2, 6):
            await talker.client.say(str(number))
        await talker.until("ack", 5)
        back = page.session()
        async with reading(two, "c", client_id="page", position=last, **back) as again:
            await again.until("transcript_update", 4)
            await talker.client.say("6")
            await again.until("transcript_update", 5)
            assert again.payloads("connection_status")[0]["recovered"] is True
            assert again.hello["position"] == last
            said = [one["id"] for one in again.payloads("transcript_update")]
            assert said == ["2", "3", "4", "5", "6"]


async def test_a_position_of_another_log_is_not_recovered_and_says_so(
    replicas: list[ServiceProcess],
) -> None:
    one, _ = replicas
    async with reading(one, "c", position="MS5ub3doZXJlLjAuMA") as reader:
        status, *_ = await reader.until("connection_status")
        assert (status["recovered"], status["reason"]) == (False, "unknown_position")
        await reader.client.say("1")
        await reader.until("transcript_update")


async def test_a_transition_is_told_to_all_and_an_impossible_one_names_what_is_allowed(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c") as asking, reading(two, "c") as other:
        await asking.client.send("state_update", "1", state="listening", cause="test")
        await asking.until("ack")
        (change,) = await other.until("state_update")
        assert (change["previous_state"], change["state"]) == ("idle", "listening")
        await other.client.send("state_update", "1", state="speaking")
        (error,) = await other.until("error")
        assert error["code"] == "invalid_transition"
        assert error["state"] == "listening"
        assert "processing" in error["allowed"]
        # The same request again is the same transition, not another one.
        await asking.client.send("state_update", "1", state="listening")
        first, second = await asking.until("ack", 2)
        assert first == second


async def test_of_transitions_that_race_one_wins_and_the_other_is_told(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c") as left, reading(two, "c") as right:
        for number in range(1, 21):
            wanted = ("listening", "idle")[(number - 1) % 2]
            await asyncio.gather(
                left.client.send("state_update", f"l{number}", state=wanted),
                right.client.send("state_update", f"r{number}", state=wanted),
            )
            await left.until("state_update", number)
            await right.until("state_update", number)

            async def is_answered(count: int = number) -> bool:
                answers = [*left.frames, *right.frames]
                return sum(one["type"] in ("ack", "error") for one in answers) == 2 * count

            await eventually(is_answered)
        assert left.payloads("state_update") == right.payloads("state_update")
        assert len(left.payloads("ack") + right.payloads("ack")) == 20
        codes = {one["code"] for one in left.payloads("error") + right.payloads("error")}
        assert codes <= {"transition_lost", "invalid_transition"}


async def test_a_request_that_lost_in_the_log_is_told_to_nobody(
    settings: Settings, replicas: list[ServiceProcess]
) -> None:
    one, two = replicas
    idle, listening, processing = (
        ConversationState.IDLE,
        ConversationState.LISTENING,
        ConversationState.PROCESSING,
    )
    async with reading(one, "c") as left, reading(two, "c") as right:
        asked = [
            StateRequested(idle, listening, "first"),
            StateRequested(idle, listening, "second"),
            StateRequested(listening, processing, "third"),
        ]
        await publish(settings, [event("c", body) for body in asked])
        for reader in (left, right):
            causes = [one["cause"] for one in await reader.until("state_update", 2)]
            assert causes == ["first", "third"]
        assert left.durable() == right.durable()


async def test_interim_transcripts_are_seen_elsewhere_until_their_final_has_passed(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c") as talker, reading(two, "c") as other:
        said = {"utterance_id": "u", "role": "user"}
        send = talker.client.send
        await send("transcript_update", text="he", sequence=1, is_final=False, **said)
        await send("transcript_update", text="hello", sequence=2, is_final=False, **said)
        await other.until("transcript_update", 2)
        await send("transcript_update", "1", text="hello!", is_final=True, **said)
        await other.until("transcript_update", 3)
        await send("transcript_update", text="late", sequence=3, is_final=False, **said)
        await send("transcript_update", "2", text="next", is_final=True)
        seen = await other.until("transcript_update", 4)
        assert [one["text"] for one in seen] == ["he", "hello", "hello!", "next"]


async def test_speech_events_drive_the_state_and_an_interruption_says_what_was_spoken(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c", client_id="voice") as voice, reading(two, "c") as page:
        send = voice.client.send
        for kind in ("speech_started", "speech_ended", "playback_started"):
            count = len(voice.payloads("state_update"))
            await send("speech_event", kind=kind)
            await voice.until("state_update", count + 1)
        await send("ai_response", "1", text="A long answer that nobody hears to its end.")
        await voice.until("ack")
        await send("speech_event", "2", kind="interrupted", target_id="1", text="A long answer")
        states = [one["state"] for one in await page.until("state_update", 4)]
        assert states == ["listening", "processing", "speaking", "waiting_for_user"]
        (interrupted,) = [
            one for one in page.payloads("speech_event") if one["kind"] == "interrupted"
        ]
        (answer,) = page.payloads("ai_response")
        assert interrupted["text"] == "A long answer"
        assert interrupted["target_event_id"] == answer["event_id"]


async def test_presence_counts_the_connections_of_all_replicas(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas

    def open_connections(reader: Reader) -> int:
        statuses = reader.payloads("connection_status")
        return statuses[-1]["open_connections"] if statuses else 0

    async with reading(one, "c") as first:
        async with reading(two, "c") as second:

            async def is_two() -> bool:
                return open_connections(first) == 2 == open_connections(second)

            await eventually(is_two)

        async def is_one() -> bool:
            return open_connections(first) == 1

        await eventually(is_one)


async def test_an_ended_conversation_takes_no_messages_until_it_is_reopened(
    replicas: list[ServiceProcess],
) -> None:
    one, two = replicas
    async with reading(one, "c") as page, reading(two, "c") as other:
        await page.client.say("1")
        await page.until("ack")
        await page.client.send("state_update", "2", state="ended")
        await other.until("state_update")
        await other.client.say("1")
        (error,) = await other.until("error")
        assert (error["code"], error["retryable"]) == ("conversation_ended", False)
        # What was recorded before the end is acknowledged when it is sent again.
        await page.client.say("1")
        acks = await page.until("ack", 3)
        assert acks[0] == acks[2]
        await other.client.send("state_update", "2", state="idle", reopen=True)
        await other.until("ack")
        await other.client.say("3")
        await other.until("ack", 2)
