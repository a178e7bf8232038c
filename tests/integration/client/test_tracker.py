"""Trackers and a real gateway, which is killed under them."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from parley.client import Tracker
from parley.codec import decode_event
from parley.events import (
    EndReason,
    Event,
    MessageRecorded,
    Role,
    SessionEnded,
    SessionResumed,
    SessionStarted,
)
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ROOT, ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def events(settings: Settings) -> list[Event]:
    return [decode_event(one) for one in await read_records(settings, Topic.EVENTS)]


def stored(found: list[Event]) -> dict[str, Event]:
    """The messages as the tables would have them: one row for each event id."""
    rows: dict[str, Event] = {}
    for event in found:
        if isinstance(event.body, MessageRecorded):
            first = rows.setdefault(event.event_id, event)
            assert first.body == event.body
    return rows


async def all_connected(tracker: Tracker, count: int) -> None:
    async def are_connected() -> bool:
        return tracker.get_stats().connected == count

    await eventually(are_connected)


def text_of(event: Event) -> str:
    assert isinstance(event.body, MessageRecorded)
    return event.body.content.text


async def test_a_tracked_session_is_in_the_log_from_its_start_to_its_end(
    settings: Settings, gateway: ServiceProcess
) -> None:
    with Tracker(gateway.url) as tracker:
        session = tracker.start_session("c", user_id="u", channel="demo", metadata={"a": 1})
        tracker.track_message(session, "user", "hello", language="en", metadata={"b": 2})
        tracker.track_message(session, "assistant", "hi", "https://x.example/a.wav")
        tracker.end_session(session)
        report = await asyncio.to_thread(tracker.close)
    assert report.is_complete
    start, first, second, end = await events(settings)
    assert isinstance(start.body, SessionStarted)
    assert start.body.metadata_json == '{"a":1}'
    assert isinstance(first.body, MessageRecorded)
    assert isinstance(second.body, MessageRecorded)
    assert (first.body.role, second.body.role) == (Role.USER, Role.ASSISTANT)
    assert (first.body.language, first.body.content.metadata_json) == ("en", '{"b":2}')
    assert second.body.content.audio_url == "https://x.example/a.wav"
    assert isinstance(end.body, SessionEnded)
    assert end.body.reason is EndReason.EXPLICIT
    assert len({one.session_id for one in (start, first, second, end)}) == 1
    assert {(one.user_id, one.channel) for one in (start, first, second)} == {("u", "demo")}


async def test_kill_9_and_restart_of_the_gateway_store_everything_once_and_in_order(
    settings: Settings, gateway: ServiceProcess
) -> None:
    with Tracker(gateway.url) as tracker:
        sessions = [tracker.start_session(f"c{number}") for number in range(5)]
        for number in range(900):
            if number in (300, 600):
                await all_connected(tracker, 5)
                await asyncio.to_thread(gateway.kill)
                restarting = asyncio.create_task(asyncio.to_thread(gateway.start))
            assert tracker.track_message(sessions[number % 5], "user", str(number))
            await asyncio.sleep(0.002)
            if number in (599, 899):
                await restarting
        for session in sessions:
            tracker.end_session(session)
        assert await asyncio.to_thread(tracker.flush, 60)
        stats = tracker.get_stats()
    found = await events(settings)
    rows = stored(found)
    assert sorted(int(text_of(one)) for one in rows.values()) == list(range(900))
    assert (stats.acknowledged, stats.unacknowledged) == (900, 0)
    assert stats.reconnects >= 10
    assert stats.resent > 0
    for conversation in range(5):
        own = [
            int(text_of(one))
            for one in rows.values()
            if one.conversation_id[1:] == str(conversation)
        ]
        assert own == list(range(conversation, 900, 5))
    # One session each, however often it was lost.
    assert len({one.session_id for one in found}) == 5
    assert Counter(type(one.body) for one in found)[SessionStarted] == 5
    assert sum(isinstance(one.body, SessionResumed) for one in found) >= 10


async def test_an_agent_that_was_killed_is_delivered_by_its_next_start(
    settings: Settings, gateway: ServiceProcess, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    command = [sys.executable, "-m", "tests.unit.client.agent", gateway.url, str(spool), "9999"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as agent:  # noqa: ASYNC220
        try:
            assert agent.stdout is not None
            said = [await asyncio.to_thread(agent.stdout.readline) for _ in range(200)]
            # What is said from here on is in the spool only.
            await asyncio.to_thread(gateway.kill)
            said += [await asyncio.to_thread(agent.stdout.readline) for _ in range(200)]
        finally:
            agent.kill()
        said += agent.stdout.read().splitlines()
    await asyncio.to_thread(gateway.start)
    with Tracker(gateway.url, spool=spool) as tracker:

        async def is_delivered() -> bool:
            stats = tracker.get_stats()
            return stats.recovered > 0 and stats.spooled == 0

        await eventually(is_delivered)
        assert tracker.get_stats().recovered >= 200
    found = await events(settings)
    texts = [text_of(one) for one in stored(found).values()]
    expected = [f"message {number}" for number in range(len(said))]
    # The last one may have been accepted without its line having been printed.
    assert texts in (expected, [*expected, f"message {len(said)}"])
    assert len({one.session_id for one in found}) == 1
    assert {one.client_id for one in found} == {"agent"}


async def test_a_gateway_that_stops_hands_its_sessions_to_the_next_one(
    settings: Settings, gateway: ServiceProcess
) -> None:
    with Tracker(gateway.url) as tracker:
        session = tracker.start_session("c")
        for number in range(300):
            if number == 100:
                stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
            assert tracker.track_message(session, "user", str(number))
            await asyncio.sleep(0.002)
        assert await stopping == 0
        await asyncio.to_thread(gateway.start)
        assert await asyncio.to_thread(tracker.flush, 30)
    found = await events(settings)
    assert [text_of(one) for one in stored(found).values()] == [str(one) for one in range(300)]
    assert len({one.session_id for one in found}) == 1
