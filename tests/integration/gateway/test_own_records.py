"""What a gateway knows of its own records is what everybody reads in the log."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from parley.codec import LogRecord, event_key
from parley.events import Content, MessageRecorded, Role
from parley.ids import random_id
from parley.log.admin import incarnation_of
from parley.log.producer import Producer
from parley.log.ranges import read_ranges
from parley.policies import Policies
from parley.settings import Settings
from parley.topics import Topic, partition_of
from services.gateway.core.frames import Utterance
from services.gateway.core.room import Known
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher
from services.gateway.tail import tail as tail_module
from services.gateway.tail.tail import Tail
from tests.support.publish import TENANT, message, publish
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

OWN, OTHERS = 200, 40


async def test_own_records_and_others_are_handed_on_as_they_are_read(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So seldom that own records come before what was read.
    monkeypatch.setattr(tail_module, "BETWEEN_REQUESTS_S", 0.05)
    made = GatewaySettings(**settings.model_dump(), gateway_max_age=timedelta(days=7))
    topic = made.topic(Topic.EVENTS)
    producer, tail = Producer(made), Tail(made)
    await producer.start()
    partition_count = await producer.partition_count(topic)
    policies, incarnation = Policies(made.gap_policies()), await incarnation_of(made, topic)
    writer = Publisher(
        [producer], made, policies, incarnation, random_id(), partition_count, tail.take_own
    )
    taken: list[LogRecord] = []
    known_count = 0

    def take(record: LogRecord, known: Known | None = None, /) -> None:
        nonlocal known_count
        taken.append(record)
        known_count += known is not None

    stop = asyncio.Event()
    await tail.start({})
    running = asyncio.create_task(tail.run(stop, take, lambda _: None))
    answers: list[object] = []
    messages = writer.messages(writer.source("c", client_id="me", user_id="u"))
    for number in range(OWN):
        said = MessageRecorded(Role.USER, Content(f"own {number}"))
        messages.submit(Utterance(str(number), said), answers.append)
        if number % (OWN // OTHERS) == 0:
            await publish(settings, [message("c", f"other {number}")])
    await eventually(_reached(taken, OWN + OTHERS))
    stop.set()
    await running
    await tail.stop()
    await producer.stop()
    partition = partition_of(event_key(TENANT, "c"), partition_count)
    ranges = {partition: (0, OWN + OTHERS)}
    read = [one async for batch in read_ranges(settings, topic, ranges) for one in batch]
    assert taken == read
    assert list(tail.ring(partition).of(event_key(TENANT, "c"), 0)) == read
    assert len(answers) == OWN
    # Of both kinds there were some.
    assert 0 < known_count < OWN + OTHERS


def _reached(taken: list[LogRecord], count: int) -> Callable[[], Awaitable[bool]]:
    async def is_reached() -> bool:
        return len(taken) >= count

    return is_reached
