"""The tracker delivers what is said, in order, each message once, from any thread."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta

from parley import clock
from tests.unit.client.gateways import Gateway, Taken
from tests.unit.client.tracker.trackers import flushed, tracking, until


async def test_a_session_says_its_messages_in_order_and_ends(gateway: Gateway) -> None:
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c", user_id="u", channel="demo", metadata={"a": 1})
        for number in range(200):
            assert tracker.track_message(session, "user", str(number))
        assert tracker.end_session(session)
        assert await flushed(tracker)
        await until(lambda: tracker.get_stats().connected == 0)
        stats = tracker.get_stats()
    assert gateway.texts() == [str(number) for number in range(200)]
    assert gateway.taken[-1].kind == "end"
    [hello] = gateway.hellos
    assert (hello["user_id"], hello["channel"], hello["metadata"]) == ("u", "demo", {"a": 1})
    assert hello["deliver"] == "none"
    assert (stats.accepted, stats.acknowledged, stats.unacknowledged) == (200, 200, 0)
    assert (stats.sent, stats.resent, stats.open_sessions) == (200, 0, 0)


async def test_each_role_has_its_frame_and_each_field_its_place(gateway: Gateway) -> None:
    said_at = datetime(2026, 1, 1, tzinfo=UTC)
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "a", "https://x/a.wav", "en", {"k": [1]}, said_at)
        tracker.track_message(session, "assistant", "b")
        tracker.track_message(session, "tool", "c")
        assert await flushed(tracker)
    user, assistant, tool = gateway.taken
    assert user.kind == "transcript_update"
    sent_at = datetime.fromisoformat(user.payload.pop("sent_at"))
    assert abs(clock.now() - sent_at) < timedelta(minutes=1)
    assert user.payload == {
        "text": "a",
        "occurred_at": "2026-01-01T00:00:00+00:00",
        "role": "user",
        "is_final": True,
        "audio_url": "https://x/a.wav",
        "language": "en",
        "metadata": {"k": [1]},
    }
    assert assistant.kind == "ai_response"
    assert (tool.kind, tool.payload["role"]) == ("transcript_update", "tool")


async def test_sessions_are_apart_each_over_its_own_connection(gateway: Gateway) -> None:
    async with tracking(gateway) as tracker:
        sessions = [tracker.start_session(f"c{number}") for number in range(20)]
        for session in sessions * 5:
            assert tracker.track_message(session, "user", session)
        assert await flushed(tracker)
        assert tracker.get_stats().connected == 20
    assert len(gateway.peers) == 20
    assert all(
        {one.payload["text"] for one in gateway.taken if one.peer is peer} == {sessions[number]}
        for peer in gateway.peers
        for number in [int(peer.conversation_id[1:])]
    )


async def test_what_is_said_while_the_gateway_is_away_is_delivered_when_it_comes() -> None:
    gateway = Gateway()
    await gateway.start()
    await gateway.stop()
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        assert all(tracker.track_message(session, "user", str(number)) for number in range(100))
        assert tracker.end_session(session)
        await until(lambda: tracker.get_stats().last_problem == "unreachable")
        assert not await flushed(tracker, 0.1)
        await asyncio.sleep(0.5)
        await gateway.start()
        assert await flushed(tracker)
        await gateway.stop()
    assert gateway.texts() == [str(number) for number in range(100)]
    payload = gateway.taken[0].payload
    age = datetime.fromisoformat(payload["sent_at"]) - datetime.fromisoformat(
        payload["occurred_at"]
    )
    assert age > timedelta(seconds=0.5)


async def test_answers_out_of_order_and_doubled_ones_settle_each_message_once(
    gateway: Gateway,
) -> None:
    held: list[Taken] = []

    async def reverse(taken: Taken) -> None:
        held.append(taken)
        if len(held) == 30:
            for one in [*reversed(held), *held]:
                await gateway.acknowledge(one)

    gateway.answer = reverse
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for number in range(30):
            tracker.track_message(session, "user", str(number))
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert (stats.acknowledged, stats.unacknowledged, stats.resent) == (30, 0, 0)


async def test_what_the_caller_changes_afterwards_does_not_change_what_was_said(
    gateway: Gateway,
) -> None:
    metadata = {"turn": 1}
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x", metadata=metadata)
        metadata["turn"] = 2
        assert await flushed(tracker)
    assert gateway.taken[0].payload["metadata"] == {"turn": 1}


async def test_many_threads_lose_and_double_nothing(gateway: Gateway) -> None:
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")

        def talk(name: int) -> None:
            for number in range(500):
                assert tracker.track_message(session, "user", f"{name}-{number}")

        threads = [threading.Thread(target=talk, args=(name,)) for name in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)
        assert await flushed(tracker)
        assert tracker.get_stats().acknowledged == 4000
    texts = gateway.texts()
    assert len(texts) == len(set(texts)) == 4000
    assert len({one.id for one in gateway.taken}) == 4000
    for name in range(8):
        own = [text for text in texts if text.startswith(f"{name}-")]
        assert own == [f"{name}-{number}" for number in range(500)]


async def test_two_trackers_never_use_the_same_id(gateway: Gateway) -> None:
    for _ in range(2):
        async with tracking(gateway) as tracker:
            session = tracker.start_session("c")
            tracker.track_message(session, "user", "x")
            assert await flushed(tracker)
    first, second = gateway.taken
    assert first.id != second.id
    # One process is one client, unless it says otherwise.
    assert gateway.hellos[0]["client_id"] == gateway.hellos[1]["client_id"]
