"""Who has to know all that operators have said asks for the topic's end, together with others."""

import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from parley.log import config_tail
from parley.log.config_tail import ConfigTail
from parley.passes.catalog import Catalog
from parley.settings import Settings

PARTITION = TopicPartition("config", 0)


class Broker:
    """Answers each question once it is let; the end grows with each question."""

    def __init__(self) -> None:
        self.question_count = 0
        self.lets = asyncio.Semaphore(0)
        self.fails_at: set[int] = set()

    async def end_offsets(self, _: Any) -> dict[TopicPartition, int]:
        self.question_count += 1
        number = self.question_count
        await self.lets.acquire()
        if number in self.fails_at:
            raise KafkaError("gone")
        return {PARTITION: number}


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    made = Broker()

    async def started(_: Settings) -> Broker:
        return made

    monkeypatch.setattr(config_tail, "_started", started)
    monkeypatch.setattr(config_tail, "RETRY_S", 0.0)
    return made


async def asking(tail: ConfigTail, count: int) -> list["asyncio.Task[dict[TopicPartition, int]]"]:
    tasks = [asyncio.create_task(tail._ask_ends()) for _ in range(count)]
    await asyncio.sleep(0.01)
    return tasks


async def test_those_who_come_while_a_question_is_under_way_share_the_next_one(
    broker: Broker,
) -> None:
    tail = ConfigTail(Settings(), Catalog())
    (first,) = await asking(tail, 1)
    others = await asking(tail, 5)
    assert broker.question_count == 1
    broker.lets.release()
    assert await first == {PARTITION: 1}
    broker.lets.release()
    # Not the first one's answer: what they have to know may be newer.
    assert await asyncio.gather(*others) == [{PARTITION: 2}] * 5
    assert broker.question_count == 2


async def test_who_comes_later_is_not_told_what_was_so_before(broker: Broker) -> None:
    tail = ConfigTail(Settings(), Catalog())
    for number in (1, 2, 3):
        broker.lets.release()
        (task,) = await asking(tail, 1)
        assert await task == {PARTITION: number}


async def test_where_a_question_fails_or_its_asker_stops_the_others_are_answered_all_the_same(
    broker: Broker,
) -> None:
    tail = ConfigTail(Settings(), Catalog())
    (first,) = await asking(tail, 1)
    others = await asking(tail, 3)
    broker.fails_at = {2}
    first.cancel()
    for _ in range(3):
        broker.lets.release()
    found = await asyncio.gather(*others)
    assert all(ends[PARTITION] > 1 for ends in found)
    with pytest.raises(asyncio.CancelledError):
        await first
