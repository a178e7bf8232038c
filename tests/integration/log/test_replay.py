"""A replay over a database that loses what it had committed, and over one that is another's."""

from typing import Any

import pytest

from parley.db import fence
from parley.db.fence import FenceKey
from parley.errors import UserError
from parley.log.admin import incarnation_of
from parley.log.replay.replay import Replay
from parley.settings import Settings
from parley.topics import Topic
from tests.support.counting_worker import CREATE, Counter
from tests.support.publish import message, publish

pytestmark = pytest.mark.integration


@pytest.fixture
async def topic(settings: Settings, pool: Any) -> str:
    """The topic's name; ten records are in its only partition that has any."""
    await pool.execute(CREATE)
    await publish(settings, [message("c", number) for number in range(10)])
    return settings.topic(Topic.EVENTS)


async def ends(replay: Replay) -> dict[int, int]:
    kafka = replay._kafka
    return {tp.partition: end for tp, end in (await kafka.end_offsets(kafka.assignment())).items()}


async def test_what_a_crash_of_the_database_took_along_is_written_again(
    settings: Settings, pool: Any, topic: str
) -> None:
    replay = Replay("counter", topic, Counter(settings), settings, pool, "me")
    await replay.start()
    try:
        whole = await ends(replay)
        await replay.run_to({one: end // 2 for one, end in whole.items()}, lambda _: None)
        assert await pool.fetchval("SELECT sum(n) FROM counts") == 5
        await pool.execute("UPDATE fences SET next_offset = 0, last_append_time = NULL")
        await pool.execute("UPDATE fences SET last_checksum = NULL; TRUNCATE counts, outbox")
        await replay.run_to(whole, lambda _: None)
    finally:
        await replay.stop()
    assert await pool.fetchval("SELECT sum(n) FROM counts") == 10
    assert await pool.fetchval("SELECT sum(next_offset) FROM fences") == 10


async def test_another_replay_into_the_same_tables_is_named(
    settings: Settings, pool: Any, topic: str
) -> None:
    replay = Replay("counter", topic, Counter(settings), settings, pool, "me")
    await replay.start()
    try:
        incarnation = await incarnation_of(settings, topic)
        for partition in await ends(replay):
            await fence.claim(pool, FenceKey("counter", topic, partition), incarnation, "other")
        with pytest.raises(ExceptionGroup) as raised:
            await replay.run_to(await ends(replay), lambda _: None)
    finally:
        await replay.stop()
    assert raised.group_contains(UserError, match="Another replay")
