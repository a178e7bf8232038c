"""The tracker's buffers have bounds, and wrong arguments are counted, never raised."""

import asyncio
import logging
import os
import threading
from datetime import datetime
from typing import Any

import pytest

from parley.client import Tracker
from parley.client.tracking.desk import Entry
from tests.unit.client.gateways import Gateway, Taken
from tests.unit.client.tracker.trackers import flushed, tracking, until


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


async def test_who_looks_while_messages_are_settled_sees_some_moment_of_it(
    gateway: Gateway,
) -> None:
    class Settling(dict[str, Entry]):
        """One is settled by the thread right after somebody began to look."""

        def values(self) -> Any:
            looking = iter(super().values())
            self.popitem()
            yield from looking

    async def hold(_: Taken) -> None:
        return None

    gateway.answer = hold
    async with tracking(gateway) as tracker:
        session = tracker.start_session("c")
        for number in range(3):
            tracker.track_message(session, "user", str(number))
        everything = tracker._desk.open
        tracker._desk.open = Settling(everything)
        try:
            assert tracker.get_stats().oldest_unacknowledged_seconds > 0
        finally:
            tracker._desk.open = everything


async def test_who_gave_up_waiting_is_not_remembered(gateway: Gateway) -> None:
    async def hold(_: Taken) -> None:
        return None

    gateway.answer = hold
    async with tracking(gateway) as tracker:
        tracker.track_message(tracker.start_session("c"), "user", "x")
        for _ in range(20):
            assert not await flushed(tracker, 0.01)
        assert len(tracker._worker._waits) <= 1


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


async def test_a_session_begins_without_asking_the_system_for_randomness(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each such question gives the interpreter's lock away, to a thread that may keep it long.
    threads: list[str] = []
    urandom = os.urandom

    def note_and_ask(size: int) -> bytes:
        threads.append(threading.current_thread().name)
        return urandom(size)

    monkeypatch.setattr(os, "urandom", note_and_ask)
    async with tracking(gateway) as tracker:
        caller = threading.current_thread().name
        began = threads.count(caller)
        handles = {tracker.start_session(f"c{number}") for number in range(10)}
        assert len(handles) == 10
        assert threads.count(caller) == began
        assert all(tracker.end_session(handle) for handle in handles)


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


@pytest.mark.parametrize("url", ["", "parley", "ftp://x", "http://"])
def test_what_is_no_gateway_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Tracker(url)
