"""What a gateway refuses is sent again where that helps, and counted where it does not."""

from typing import Any

import pytest

from parley import clock
from tests.unit.client.gateways import Gateway, Peer, Taken
from tests.unit.client.tracker.trackers import flushed, tracking, until


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
