"""The activity worker as a process: what it counts, who sees it, and what a restart makes of it."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.request import urlopen

import pytest

from parley.activity.figures import WINDOWS, Activity, ActivityState, Counts, Group
from parley.activity.reading import read_activity
from parley.cli.activity_table import Sorting
from parley.cli.top import top
from parley.codec import Outgoing, event_key
from parley.codec.events import EVENT_HEADERS
from parley.events import Event, Role
from parley.ids import random_id
from parley.log.producer import Producer
from parley.settings import Settings
from parley.topics import Topic
from tests.support.processes import ServiceProcess, environment, health
from tests.support.publish import message, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

PHONE, CHAT, RIVAL = Group("default", "phone"), Group("default", "chat"), Group("rival", "phone")


def spoken(group: Group, conversation_id: str, number: int, **fields: Any) -> Event:
    one = message(conversation_id, number, "one two three", **fields)
    return replace(one, event_id=random_id(), tenant_id=group.tenant_id, channel=group.channel)


async def test_what_is_said_is_counted_shown_and_counted_the_same_after_a_restart(
    settings: Settings,
    pool: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert (await read_activity(pool)).state is ActivityState.NO_WORKER
    # More conversations than partitions, so that each partition adds some.
    before = [spoken(PHONE, f"c{n % 8}", n) for n in range(20)]
    await publish(settings, [*before, spoken(PHONE, "old", 0, import_id=random_id())])
    worker = ServiceProcess("activity", settings, PARLEY_ACTIVITY_INTERVAL="0.2")
    with worker:
        await counts(pool, {PHONE: Counts(20, 8, 60)})
        await publish_garbage(settings)
        later = [
            spoken(CHAT, "c1", 1),
            spoken(CHAT, "c1", 2, role=Role.ASSISTANT),
            *(spoken(RIVAL, "c1", n) for n in range(3)),
        ]
        await publish(settings, later)
        everything = {
            PHONE: Counts(20, 8, 60),
            CHAT: Counts(2, 1, 3, 3),
            RIVAL: Counts(3, 1, 9),
        }
        await counts(pool, everything)
        assert set((await read_activity(pool, "rival")).groups) == {RIVAL}
        assert health(worker.url)["services"]["partitions"] == [0, 1, 2, 3]
        metrics = text(f"{worker.url}/metrics")
        assert "parley_activity_messages_total 25.0" in metrics
        assert 'parley_activity_records_skipped_total{reason="protobuf"} 1.0' in metrics
        assert 'parley_activity_lag_records{partition="0"} 0.0' in metrics

        await asyncio.to_thread(top, sort=Sorting.NAME)
        assert [line.split()[:3] for line in capsys.readouterr().out.splitlines()[4:]] == [
            ["default", "chat", "2"],
            ["default", "phone", "20"],
            ["rival", "phone", "3"],
        ]
        assert worker.stop() == 0
        # At once, rather than when the figures have grown old.
        assert (await read_activity(pool)).state is ActivityState.NO_WORKER
        worker.start()
        await counts(pool, everything)


async def counts(pool: Any, expected: Mapping[Group, Counts]) -> None:
    """The longest window holds this, and nothing is left to be read."""

    async def is_so() -> bool:
        found: Activity = await read_activity(pool)
        longest = {group: one[WINDOWS[-1]] for group, one in found.groups.items()}
        return found.state is ActivityState.COUNTED and longest == expected

    await eventually(is_so)


async def publish_garbage(settings: Settings) -> None:
    """A record that every consumer skips."""
    producer = Producer(settings)
    await producer.start()
    key = event_key("default", "c1")
    await producer.send(Outgoing(settings.topic(Topic.EVENTS), key, b"\xff", EVENT_HEADERS))
    await producer.stop()


def text(url: str) -> str:
    with urlopen(url, timeout=5) as answer:  # noqa: S310 - a service on loopback
        found: str = answer.read().decode()
        return found
