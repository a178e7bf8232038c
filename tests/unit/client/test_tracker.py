"""Tests of the tracker against a gateway that drops, delays, refuses and goes away."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parley import clock
from parley.client import CloseReport, Tracker
from tests.support.processes import ROOT
from tests.support.wait import eventually
from tests.unit.client.gateways import Gateway, Peer, Taken


@asynccontextmanager
async def tracking(gateway: Gateway, **options: Any) -> AsyncIterator[Tracker]:
    tracker = Tracker(gateway.url, **options)
    try:
        yield tracker
    finally:
        await closed(tracker, 0)


async def closed(tracker: Tracker, timeout_s: float = 5.0) -> CloseReport:
    return await asyncio.to_thread(tracker.close, timeout_s)


async def flushed(tracker: Tracker, timeout_s: float = 10.0) -> bool:
    return await asyncio.to_thread(tracker.flush, timeout_s)


async def until(condition: Callable[[], Any]) -> None:
    async def check() -> Any:
        return condition()

    await eventually(check, every=0.01)


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


async def test_a_lost_connection_is_resumed_and_what_is_open_sent_again_in_order(
    gateway: Gateway,
) -> None:
    async def lose_at_fifty(taken: Taken) -> None:
        if taken.peer.number == 1 and taken.payload.get("text") == "50":
            taken.peer.socket.transport.abort()
        elif taken.peer.number > 1 or int(taken.payload["text"]) % 7:
            await gateway.acknowledge(taken)

    gateway.answer = lose_at_fifty
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for number in range(100):
            tracker.track_message(session, "user", str(number))
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert gateway.rows() == [str(number) for number in range(100)]
    second = [one.payload["text"] for one in gateway.taken if one.peer.number == 2]
    # Every seventh was left without an answer, as was everything from the fiftieth on; of the
    # other answers some were lost with the connection.
    assert {*range(0, 50, 7), *range(50, 100)} <= {*map(int, second)}
    assert [*map(int, second)] == sorted(map(int, second))
    assert (gateway.hellos[1]["session_id"], gateway.hellos[1]["generation"]) == ("s-1", 1)
    assert stats.reconnects == 1
    assert (stats.accepted, stats.acknowledged, stats.sent) == (100, 100, 100)
    # At least those to which there was no answer, and at most all that came again.
    assert 9 <= stats.resent <= len(second)


async def test_a_retryable_refusal_is_sent_again_after_its_time_and_holds_the_others_back(
    gateway: Gateway,
) -> None:
    refused_s: list[float] = []

    async def refuse_once(taken: Taken) -> None:
        if taken.payload["text"] == "first" and not refused_s:
            refused_s.append(clock.monotonic())
            await taken.peer.error("overloaded", True, id=taken.id, retry_after_ms=300)
        else:
            refused_s.append(clock.monotonic())
            await gateway.acknowledge(taken)

    gateway.answer = refuse_once
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "first")
        await until(lambda: tracker.get_stats().last_problem == "overloaded")
        tracker.track_message(session, "user", "second")
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert gateway.texts() == ["first", "first", "second"]
    assert refused_s[1] - refused_s[0] >= 0.3
    assert (stats.resent, stats.acknowledged, stats.last_problem) == (1, 2, "overloaded")


async def test_what_is_refused_for_good_is_counted_and_the_rest_goes_on(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    async def refuse_secret(taken: Taken) -> None:
        if taken.payload["text"] == "secret":
            await taken.peer.error("conversation_ended", False, id=taken.id)
        else:
            await gateway.acknowledge(taken)

    gateway.answer = refuse_secret
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for text in ("a", "secret", "b"):
            tracker.track_message(session, "user", text)
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert (stats.acknowledged, stats.refused_by_gateway, stats.unacknowledged) == (2, 1, 0)
    assert "conversation_ended" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013])
async def test_whatever_a_gateway_closes_with_the_client_comes_back(
    gateway: Gateway, code: int
) -> None:
    async def close_first(taken: Taken) -> None:
        if taken.peer.number == 1:
            await taken.peer.close(code)
        else:
            await gateway.acknowledge(taken)

    gateway.answer = close_first
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]
    assert gateway.taken[0].id == gateway.taken[1].id


async def test_a_draining_gateway_is_left_and_not_troubled_before_its_time(
    gateway: Gateway,
) -> None:
    drained_s: list[float] = []

    async def drain(taken: Taken) -> None:
        if taken.peer.number == 1:
            drained_s.append(clock.monotonic())
            status = {"status": "draining", "retry_after_ms": 400}
            await taken.peer.send("connection_status", status)
            await taken.peer.error("draining", True, id=taken.id, retry_after_ms=0)
        else:
            drained_s.append(clock.monotonic())
            await gateway.acknowledge(taken)

    gateway.answer = drain
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]
    assert drained_s[1] - drained_s[0] >= 0.4


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


async def test_no_more_than_64_wait_for_an_answer_on_one_connection(gateway: Gateway) -> None:
    held: list[Taken] = []

    async def hold(taken: Taken) -> None:
        held.append(taken)

    gateway.answer = hold
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for number in range(100):
            tracker.track_message(session, "user", str(number))
        await until(lambda: len(held) == 64)
        await asyncio.sleep(0.1)
        assert len(held) == 64
        stats = tracker.get_stats()
        assert (stats.unacknowledged, stats.queued) == (100, 36)
        await gateway.acknowledge(held[0])
        await until(lambda: len(held) == 65)


async def test_a_full_buffer_refuses_visibly_and_has_room_again_after_the_answers(
    gateway: Gateway,
) -> None:
    held: list[Taken] = []

    async def hold(taken: Taken) -> None:
        held.append(taken)

    gateway.answer = hold
    async with tracking(gateway, capacity=10) as tracker:
        session = tracker.start_session("c")
        accepted = [tracker.track_message(session, "user", str(number)) for number in range(12)]
        assert accepted == [True] * 10 + [False] * 2
        await until(lambda: len(held) == 10)
        stats = tracker.get_stats()
        assert (stats.refused_overflow, stats.unacknowledged, stats.accepted) == (2, 10, 10)
        assert stats.oldest_unacknowledged_seconds > 0
        gateway.answer = None
        for taken in held:
            await gateway.acknowledge(taken)
        assert await flushed(tracker)
        assert tracker.track_message(session, "user", "again")
    assert gateway.rows()[:10] == [str(number) for number in range(10)]


async def test_the_number_of_sessions_is_bounded_and_an_ended_one_makes_room(
    gateway: Gateway,
) -> None:
    async with tracking(gateway, max_sessions=2) as tracker:
        first, _ = tracker.start_session("a"), tracker.start_session("b")
        refused = tracker.start_session("c")
        assert not tracker.track_message(refused, "user", "x")
        assert tracker.get_stats().refused_overflow == 1
        tracker.end_session(first)
        assert await flushed(tracker)
        assert tracker.track_message(tracker.start_session("d"), "user", "x")


@pytest.mark.parametrize(
    "arguments",
    [
        ("nobody", "x"),
        ("user", ""),
        ("user", "  "),
        ("user", None),
        ("user", 7),
        ("user", "\udc00"),
        ("user", "x" * 70_000),
        ("user", "x", 3),
        ("user", "x", None, 3),
        ("user", "x", None, "", {"a": object()}),
        ("user", "x", None, "", {1: 2}),
        ("user", "x", None, "", 5),
        ("user", "x", None, "", None, datetime(2026, 1, 1)),  # noqa: DTZ001 - the wrong one
        ("user", "x", None, "", None, "yesterday"),
        (["user"], "x"),
    ],
)
async def test_a_wrong_argument_is_counted_and_said_once_and_never_raised(
    gateway: Gateway, caplog: pytest.LogCaptureFixture, arguments: tuple[Any, ...]
) -> None:
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        with caplog.at_level(logging.WARNING):
            assert tracker.track_message(session, *arguments) is False
            assert tracker.track_message(session, *arguments) is False
        assert tracker.get_stats().dropped_invalid == 2
        assert len([one for one in caplog.records if one.name == "parley.client"]) == 1
        assert tracker.track_message(session, "user", "fine")
        assert await flushed(tracker)
    assert gateway.texts() == ["fine"]


async def test_a_session_that_nobody_knows_takes_nothing(gateway: Gateway) -> None:
    async with tracking(gateway) as tracker:
        wrong: Any = ["x"]
        assert not tracker.track_message("nobody", "user", "x")
        assert not tracker.track_message(wrong, "user", "x")
        assert not tracker.end_session("nobody")
        assert not tracker.end_session(wrong)
        for bad in ("", "x" * 600, None, "\udc00"):
            conversation_id: Any = bad
            assert not tracker.track_message(tracker.start_session(conversation_id), "user", "x")
        ended = tracker.start_session("c")
        assert tracker.end_session(ended)
        assert not tracker.end_session(ended)
        assert not tracker.track_message(ended, "user", "x")


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


async def test_close_waits_for_answers_and_reports_nothing_open(gateway: Gateway) -> None:
    async def late(taken: Taken) -> None:
        await asyncio.sleep(0.05)
        await gateway.acknowledge(taken)

    gateway.answer = late
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    for number in range(5):
        tracker.track_message(session, "user", str(number))
    tracker.end_session(session)
    left_open = tracker.start_session("d")
    report = await closed(tracker)
    assert report.is_complete
    assert report.acknowledged == 5
    assert not tracker.track_message(left_open, "user", "late")
    assert not tracker.end_session(left_open)
    assert tracker.get_stats().refused_closed == 1
    assert not tracker.track_message(tracker.start_session("d"), "user", "late")
    assert await closed(tracker) == report
    assert not [one for one in threading.enumerate() if one.name == "parley-tracker"]


async def test_close_reports_what_nobody_acknowledged(gateway: Gateway) -> None:
    async def ignore_some(taken: Taken) -> None:
        if taken.payload["text"] != "lost":
            await gateway.acknowledge(taken)

    gateway.answer = ignore_some
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    for text in ("a", "lost", "b"):
        tracker.track_message(session, "user", text)
    tracker.end_session(session)
    began_s = clock.monotonic()
    report = await closed(tracker, 0.5)
    assert clock.monotonic() - began_s < 3
    assert not report.is_complete
    [lost] = [one.id for one in gateway.taken if one.payload["text"] == "lost"]
    assert report.unacknowledged == {session: (lost,)}
    assert report.unended_sessions == (session,)
    assert (report.acknowledged, report.kept_in_spool) == (2, 0)


async def test_close_does_not_wait_for_a_gateway_that_says_nothing(gateway: Gateway) -> None:
    leaving = asyncio.Event()

    async def keep_silent(_: Peer) -> bool:
        await leaving.wait()
        return False

    gateway.greet = keep_silent
    tracker = Tracker(gateway.url)
    session = tracker.start_session("c")
    tracker.track_message(session, "user", "x")
    await until(lambda: gateway.peers)
    began_s = clock.monotonic()
    report = await closed(tracker, 0.2)
    leaving.set()
    assert clock.monotonic() - began_s < 2.5
    assert len(report.unacknowledged[session]) == 1


async def test_a_gateway_that_answers_nothing_any_more_is_left_for_another_connection(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.client.line.ACK_TIMEOUT_S", 0.3)

    async def deaf_at_first(taken: Taken) -> None:
        if taken.peer.number > 1:
            await gateway.acknowledge(taken)

    gateway.answer = deaf_at_first
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x", "x"]


async def test_a_frame_that_is_too_big_for_the_gateway_is_found_and_given_up(
    gateway: Gateway,
) -> None:
    async def small_only(taken: Taken) -> None:
        if taken.payload["text"] == "big":
            await taken.peer.close(1009)
        else:
            await gateway.acknowledge(taken)

    gateway.answer = small_only
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for text in ("a", "big", "b", "c", "d"):
            tracker.track_message(session, "user", text)
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert (stats.acknowledged, stats.refused_by_gateway) == (4, 1)
    assert stats.last_problem == "frame_too_big"


async def test_a_refused_hello_that_can_be_mended_is_tried_until_the_token_is_good(
    gateway: Gateway,
) -> None:
    async def check(peer: Peer) -> bool:
        if peer.hello["token"] == "new":
            await gateway.welcome(peer)
            return True
        await peer.error("unauthenticated", False)
        return False

    gateway.greet = check
    tokens = ["new", "old", "old"]
    async with tracking(gateway, token=tokens.pop) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert [one["token"] for one in gateway.hellos] == ["old", "old", "new"]


async def test_a_hello_that_will_never_be_taken_ends_the_session_and_counts_its_messages(
    gateway: Gateway,
) -> None:
    async def refuse(peer: Peer) -> bool:
        await peer.error("invalid_frame", False)
        return False

    gateway.greet = refuse
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
        assert tracker.track_message(session, "user", "y")
        assert await flushed(tracker)
        assert tracker.end_session(session)
        assert await flushed(tracker)
        stats = tracker.get_stats()
    assert (stats.refused_by_gateway, stats.unacknowledged, stats.open_sessions) == (2, 0, 0)
    assert len(gateway.peers) == 1


async def test_a_token_function_that_fails_is_asked_again(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parley.client.tracking.worker.RESTART_S", 0.01)
    tokens: list[Any] = ["good", 0]

    def token() -> str:
        one = tokens.pop()
        return str(one / one) if one == 0 else str(one)

    async with tracking(gateway, token=token) as tracker:
        session = tracker.start_session("c")
        tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
        assert tracker.get_stats().last_problem == "ZeroDivisionError"


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


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
async def test_a_forked_child_has_a_closed_tracker_and_the_parent_goes_on(
    gateway: Gateway,
) -> None:
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        assert await asyncio.to_thread(_child_is_refused, tracker, session)
        assert tracker.track_message(session, "user", "x")
        assert await flushed(tracker)
    assert gateway.texts() == ["x"]


def _child_is_refused(tracker: Tracker, session: str) -> bool:
    child = os.fork()
    if child == 0:
        # Nothing of pytest may run in the child, whatever happens.
        try:
            refused = not tracker.track_message(session, "user", "child")
            started = tracker.track_message(tracker.start_session("d"), "user", "child")
            report = tracker.close(1)
            os._exit(0 if refused and not started and report.is_complete else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 0


async def test_a_program_that_forgets_to_close_its_tracker_is_delivered_at_its_exit(
    gateway: Gateway,
) -> None:
    # By name: when a program ends it can ask for names no more in the usual way.
    url = f"http://localhost:{gateway.port}"
    text = f"""
from parley.client import Tracker
tracker = Tracker("{url}")
session = tracker.start_session("c")
tracker.track_message(session, "user", "last words")
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", text, cwd=ROOT)
    assert await process.wait() == 0
    assert gateway.texts() == ["last words"]


@pytest.mark.parametrize("url", ["", "parley", "ftp://x", "http://"])
def test_what_is_no_gateway_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Tracker(url)
