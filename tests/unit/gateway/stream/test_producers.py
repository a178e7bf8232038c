"""Partitions are shared among the producers: each conversation has one, and waits for no other."""

import asyncio

from parley.events import Content, MessageRecorded, Role
from parley.policies import Policies
from services.gateway.core.frames import Utterance
from services.gateway.settings import GatewaySettings
from services.gateway.stream import Publisher, Recorded
from tests.support.wait import eventually
from tests.unit.gateway.fakes import FakeProducer

PARTITIONS = 4


def publisher(*producers: FakeProducer) -> Publisher:
    settings = GatewaySettings()
    policies = Policies(settings.gap_policies())
    return Publisher(producers, settings, policies, "incarnation", "gateway", PARTITIONS)


async def say(to: Publisher, conversation_id: str, number: int) -> Recorded:
    said = Utterance(str(number), MessageRecorded(Role.USER, Content("hello")))
    return await to.record_utterance(to.source(conversation_id, client_id="me"), said)


async def test_all_of_a_conversation_goes_by_one_producer_and_each_has_its_share() -> None:
    producers = FakeProducer(), FakeProducer()
    writer = publisher(*producers)
    names = [f"c{number}" for number in range(40)]
    for number in range(3):
        await asyncio.gather(*(say(writer, name, number) for name in names))
    shares = [{event.conversation_id for event in one.events()} for one in producers]
    assert shares[0] | shares[1] == set(names)
    assert not shares[0] & shares[1]
    assert all(shares)


async def test_a_producer_that_is_slow_holds_up_only_its_own_conversations() -> None:
    slow, quick = FakeProducer(), FakeProducer()
    writer = publisher(slow, quick)
    slow.acknowledges = False
    waiting = [asyncio.create_task(say(writer, f"c{number}", 0)) for number in range(40)]

    async def are_sent() -> bool:
        return len(slow.accepted) + len(quick.accepted) == len(waiting)

    await eventually(are_sent, timeout=5, every=0.002)
    await asyncio.sleep(0.01)
    assert sum(one.done() for one in waiting) == len(quick.accepted) > 0
    slow.acknowledge()
    await asyncio.gather(*waiting)
