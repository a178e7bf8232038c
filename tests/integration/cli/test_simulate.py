"""`parley simulate` against a real gateway, which is killed in the middle."""

import asyncio

import pytest

from parley.codec import decode_event
from parley.events import MessageRecorded, SessionEnded
from parley.settings import Settings
from parley.topics import Topic
from tests.support.command import Command, said
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def test_every_message_is_in_the_log_although_the_gateway_is_killed(
    migrated: Settings, parley: Command
) -> None:
    with ServiceProcess("gateway", migrated) as gateway:
        process = parley.start(
            "simulate",
            "--gateway",
            gateway.url,
            "--conversations=5",
            "--rate=100",
            "--seconds=4",
            "--duplicates=0.1",
        )

        async def has_begun() -> bool:
            assert process.poll() is None
            return len(await read_records(migrated, Topic.EVENTS)) > 50

        await eventually(has_begun)
        gateway.kill()
        await asyncio.to_thread(gateway.start)
        _, stderr = await asyncio.to_thread(process.communicate, timeout=100)
    assert process.returncode == 0, stderr.decode()
    assert b"reconnects" in stderr
    events = [decode_event(one) for one in await read_records(migrated, Topic.EVENTS)]
    messages = {one.event_id for one in events if isinstance(one.body, MessageRecorded)}
    assert len(messages) == 400
    ended = [one for one in events if isinstance(one.body, SessionEnded)]
    assert len(ended) == 5


async def test_without_a_gateway_it_says_how_to_start_one(parley: Command) -> None:
    ended = await asyncio.to_thread(parley, "simulate", "--gateway", "http://127.0.0.1:1")
    assert ended.returncode == 1
    assert "No gateway is ready at http://127.0.0.1:1" in said(ended)
    assert "make run" in said(ended)
