"""What is said over HTTP, and the state that a conversation is in, on the real log and tables."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from parley.events import ConversationState, MessageRecorded, Role, StateRequested
from parley.settings import Settings
from tests.integration.gateway.clients import logged, place
from tests.integration.gateway.readers import reading
from tests.integration.gateway.rest import CONVERSATIONS, Program, program_of
from tests.support.processes import ServiceProcess, free_port

pytestmark = pytest.mark.integration

STATE = "/api/conversations/c/state"
TRANSCRIPT = "/api/conversations/c/transcript"
AI_RESPONSE = "/api/conversations/c/ai-response"
MESSAGES = f"{CONVERSATIONS}/c/messages"


@pytest.fixture
async def program(gateway: ServiceProcess) -> AsyncIterator[Program]:
    async with program_of(gateway) as made:
        yield made


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


async def test_a_state_is_asked_for_and_read_from_the_log(
    settings: Settings, program: Program
) -> None:
    before = await program.reads(STATE)
    assert (before["conversation_id"], before["state"]) == ("c", "idle")
    assert set(before["allowed"]) == {"listening", "error", "ended"}
    wanted = {"state": "listening", "cause": "microphone on", "user_id": "u", "client_id": "app"}
    changed = await program.writes(STATE, wanted, status=200)
    assert (changed["previous_state"], changed["state"]) == ("idle", "listening")
    assert set(changed["allowed"]) == {"idle", "processing", "error", "ended"}
    # Nothing stores it in this test: the answer is the log's.
    assert (await program.reads(STATE))["state"] == "listening"
    [(where, event)] = await logged(settings, "c")
    assert (where, event.event_id) == (place(changed["position"]), changed["event_id"])
    assert (event.user_id, event.client_id) == ("u", "app")
    assert isinstance(event.body, StateRequested)
    assert (event.body.source, event.body.target, event.body.cause) == (
        ConversationState.IDLE,
        ConversationState.LISTENING,
        "microphone on",
    )


async def test_a_state_that_cannot_be_reached_is_refused_and_leaves_no_trace(
    settings: Settings, program: Program
) -> None:
    for wanted in ({"state": "speaking"}, {"state": "idle", "reopen": True}, {"state": "idle"}):
        problem = await program.is_refused(409, "invalid_transition", STATE, "POST", json=wanted)
        assert problem["state"] == "idle"
        assert set(problem["allowed"]) == {"listening", "error", "ended"}
    await program.is_refused(422, "invalid_request", STATE, "POST", json={"state": "asleep"})
    assert await logged(settings, "c") == []


async def test_the_same_request_for_a_state_gets_the_same_answer(
    settings: Settings, program: Program
) -> None:
    listening = {"state": "listening", "client_id": "app"}
    first = await program.writes(STATE, {**listening, "id": "1"}, status=200)
    keyed = await program.writes(STATE, {"state": "processing"}, status=200, key="2")
    again = await program.writes(STATE, {**listening, "id": "1"}, status=200)
    assert (again["event_id"], again["position"]) == (first["event_id"], first["position"])
    assert (again["previous_state"], again["state"]) == ("idle", "listening")
    keyed_again = await program.writes(STATE, {"state": "processing"}, status=200, key="2")
    assert keyed_again["event_id"] == keyed["event_id"]
    assert (await program.reads(STATE))["state"] == "processing"
    assert len(await logged(settings, "c")) == 2


async def test_of_many_at_one_moment_one_gets_the_state(
    settings: Settings, program: Program
) -> None:
    # Two gateways: they learn of each other through the log only.
    with ServiceProcess("gateway", settings) as second:
        async with program_of(second) as elsewhere:
            answers = await asyncio.gather(
                *(
                    one.http.post(STATE, json={"state": "listening"})
                    for one in (program, elsewhere) * 4
                )
            )
            states = [(await one.reads(STATE))["state"] for one in (program, elsewhere)]
    losers = [one.json() for one in answers if one.status_code != 200]
    assert [one.status_code for one in answers].count(200) == 1
    assert {one["status"] for one in losers} == {409}
    assert {one["code"] for one in losers} <= {"transition_lost", "invalid_transition"}
    assert {one["state"] for one in losers} == {"listening"}
    assert states == ["listening", "listening"]


async def test_what_is_written_over_http_is_seen_by_who_is_connected(
    gateway: ServiceProcess, program: Program
) -> None:
    interim: dict[str, Any] = {"is_final": False, "utterance_id": "v", "user_id": "u"}
    async with reading(gateway, "c") as reader:
        shown = await program.writes(
            TRANSCRIPT, {**interim, "text": "hel", "sequence": 1}, status=202
        )
        assert shown == {"position": None}
        await reader.until("transcript_update", 1)
        said = await program.writes(
            TRANSCRIPT, {"text": "hello", "utterance_id": "v", "user_id": "u"}
        )
        await program.writes(AI_RESPONSE, {"text": "hi", "id": "7", "client_id": "agent"})
        await program.writes(STATE, {"state": "listening", "cause": "mic"}, status=200)
        [change] = await reader.until("state_update", 1)
        live, final = [one for one in reader.frames if one["type"] == "transcript_update"]
        [answer] = reader.payloads("ai_response")
    assert "position" not in live
    assert (live["payload"]["text"], live["payload"]["is_final"]) == ("hel", False)
    assert final["position"] == said["position"]
    assert final["payload"]["event_id"] == said["event_id"]
    assert (final["payload"]["text"], final["payload"]["user_id"]) == ("hello", "u")
    assert (answer["text"], answer["id"], answer["client_id"]) == ("hi", "7", "agent")
    assert (change["previous_state"], change["state"], change["cause"]) == (
        "idle",
        "listening",
        "mic",
    )


async def test_an_interim_transcript_is_not_recorded_and_needs_its_place(
    settings: Settings, program: Program
) -> None:
    whole = {"text": "hel", "is_final": False, "utterance_id": "v", "sequence": 1}
    await program.writes(TRANSCRIPT, whole, status=202)
    for missing in ("utterance_id", "sequence"):
        part = {name: value for name, value in whole.items() if name != missing}
        await program.is_refused(422, "invalid_frame", TRANSCRIPT, "POST", json=part)
    await program.is_refused(
        422, "invalid_request", TRANSCRIPT, "POST", json={**whole, "sequence": 0}
    )
    assert await logged(settings, "c") == []


@pytest.mark.usefixtures("persister")
async def test_a_final_transcript_and_a_reply_become_messages_once(
    settings: Settings, program: Program
) -> None:
    more = {"language": "de", "audio_url": "https://a.example/1", "metadata": {"a": 1}}
    heard = {"text": "hallo", "id": "1", "utterance_id": "v", **more}
    said = [await program.writes(TRANSCRIPT, heard) for _ in range(2)]
    # Whoever sends it as a user's: what comes here is the agent's.
    replied = [
        await program.writes(AI_RESPONSE, {"text": "ja?", "role": "user"}, key="k")
        for _ in range(2)
    ]
    assert said[0]["event_id"] == said[1]["event_id"]
    assert replied[0]["event_id"] == replied[1]["event_id"]
    bodies = [event.body for _, event in await logged(settings, "c")]
    assert [body.role for body in bodies if isinstance(body, MessageRecorded)][-1] is Role.ASSISTANT
    stored = (await program.reads(MESSAGES, *said, *replied))["messages"]
    assert [(one["id"], one["role"], one["text"]) for one in stored] == [
        (said[0]["event_id"], "user", "hallo"),
        (replied[0]["event_id"], "assistant", "ja?"),
    ]
    assert {name: stored[0][name] for name in more} == more
    assert place(stored[0]["position"]) == place(said[0]["position"])
    for path in (TRANSCRIPT, AI_RESPONSE):
        await program.is_refused(422, "invalid_frame", path, "POST", json={"text": ""})


async def test_without_postgresql_messages_are_taken_and_only_what_needs_it_waits(
    settings: Settings,
) -> None:
    away = f"postgresql://parley@127.0.0.1:{free_port()}/parley"
    with ServiceProcess("gateway", settings, DATABASE_URL=away) as gateway:
        async with program_of(gateway) as program:
            await program.writes(MESSAGES, {"text": "hello"})
            await program.writes(TRANSCRIPT, {"text": "hello"})
            await program.writes(CONVERSATIONS, {"id": "d"})
            await program.is_refused(503, "state_unknown", STATE)
            wanted = {"state": "listening"}
            await program.is_refused(503, "state_unknown", STATE, "POST", json=wanted)
            await program.is_refused(503, "state_unknown", f"{CONVERSATIONS}/c/end", "PUT")
            for path in (CONVERSATIONS, f"{CONVERSATIONS}/c", MESSAGES):
                await program.is_refused(503, "store_unavailable", path)
    assert len(await logged(settings, "c")) == 2
