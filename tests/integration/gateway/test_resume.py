"""What a client missed: from memory, from the tables, and from the log between the two."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from parley.log.producer import Producer
from parley.position import Position
from parley.settings import Settings
from tests.integration.gateway.readers import Reader, reading
from tests.support.processes import ServiceProcess
from tests.support.publish import message, outgoing
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

# The least that the setting allows: some 300 of the records below fill a partition's share.
SMALL_RING = {"PARLEY_GATEWAY_RING_BYTES": str(1024 * 1024)}
FILLING = "x" * 2_000


@pytest.fixture
def persister(settings: Settings) -> Iterator[ServiceProcess]:
    with ServiceProcess("persister", settings) as process:
        yield process


async def has_stored(pool: Any, count: int) -> None:
    async def is_stored() -> bool:
        return bool(await pool.fetchval("SELECT count(*) FROM conversation_events") >= count)

    await eventually(is_stored)


async def fill(settings: Settings, count: int, reader: Reader) -> None:
    """Records of the reader's conversation, until nothing before them is in memory.

    Never more at once than a gateway lets wait for one reader: the reader is there to the end.
    """
    producer = Producer(settings)
    await producer.start()
    try:
        for first in range(0, count, 200):
            names = [f"f{number}" for number in range(first, min(first + 200, count))]
            before = len(reader.durable())
            await producer.send_all(
                [outgoing(settings, message("c", name, FILLING)) for name in names]
            )

            async def is_read(end: int = before + len(names)) -> bool:
                return len(reader.durable()) >= end

            await eventually(is_read, every=0.01)
    finally:
        await producer.stop()


async def talk(reader: Reader, first: int, last: int) -> None:
    """Numbered messages with transitions between them."""
    for number in range(first, last):
        await reader.client.say(str(number), f"text {number}")
        state = ("listening", "idle")[number % 2]
        await reader.client.send("state_update", f"s{number}", state=state)
    await reader.until("ack", 2 * last)


async def test_what_memory_lost_comes_from_the_tables_and_the_log_without_a_gap(
    settings: Settings, pool: Any, persister: ServiceProcess
) -> None:
    with ServiceProcess("gateway", settings, **SMALL_RING) as gateway:
        async with reading(gateway, "c", client_id="talker") as talker:
            await talk(talker, 0, 10)
            expected = talker.durable()
            first = expected[0][0]
            # The tables hold the first part, the log alone the second, memory the third.
            await has_stored(pool, 21)
            persister.stop()
            await talk(talker, 10, 20)
            await fill(settings, 900, talker)
            await talk(talker, 20, 25)
            expected = talker.durable()
            # Nothing was lost on the way to who was there all the time.
            assert len(expected) == 50 + 900
        async with reading(gateway, "c", client_id="page", position=first) as back:

            async def is_here() -> bool:
                return len(back.durable()) >= len(expected) - 1

            await eventually(is_here)
            assert back.durable() == expected[1:]
            resumed = back.payloads("connection_status")[0]
            assert (resumed["status"], resumed["recovered"]) == ("resumed", True)


async def test_a_client_that_is_replayed_much_while_others_talk_misses_nothing(
    settings: Settings, pool: Any, persister: ServiceProcess
) -> None:
    with ServiceProcess("gateway", settings, **SMALL_RING) as gateway:
        async with reading(gateway, "c", client_id="talker") as talker:
            await talk(talker, 0, 1)
            first = talker.durable()[0][0]
            await fill(settings, 1_500, talker)
            await has_stored(pool, 1_500)

            async def go_on() -> None:
                for number in range(200):
                    await talker.client.say(f"t{number}")
                    await asyncio.sleep(0.005)

            going_on = asyncio.create_task(go_on())
            async with reading(gateway, "c", client_id="page", position=first) as back:
                await going_on
                await talker.until("ack", 202)

                async def is_here() -> bool:
                    return len(back.durable()) == len(talker.durable()) - 1 == 1_701

                await eventually(is_here)
                assert back.durable() == talker.durable()[1:]


async def test_a_position_beyond_the_log_is_not_believed(
    settings: Settings, gateway: ServiceProcess
) -> None:
    async with reading(gateway, "c") as reader:
        await reader.client.say("1")
        await reader.until("transcript_update")
        mine = reader.durable()[0][0]
    place = Position.parse(mine)
    beyond = str(Position(place.incarnation, place.partition, place.offset + 1_000_000))
    elsewhere = str(Position(place.incarnation, (place.partition + 1) % 4, 0))
    for position in (beyond, elsewhere):
        async with reading(gateway, "c", position=position) as reader:
            status, *_ = await reader.until("connection_status")
            assert (status["recovered"], status["reason"]) == (False, "unknown_position")
            assert reader.hello["snapshot"] == {"state": "idle"}


async def test_a_copy_of_a_message_is_sent_on_once(
    settings: Settings, gateway: ServiceProcess
) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        async with reading(gateway, "c") as reader:
            twice = outgoing(settings, message("c", "m"))
            await producer.send_all([twice, twice])
            await producer.send(outgoing(settings, message("c", "n")))
            await reader.until("transcript_update", 2)
            await asyncio.sleep(0.2)
            ids = [event_id for _, event_id in reader.durable()]
            assert len(ids) == len(set(ids)) == 2
    finally:
        await producer.stop()


async def test_without_postgresql_messages_are_taken_and_only_unknown_states_refused(
    settings: Settings,
) -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody:x@127.0.0.1:1/none"}
    with ServiceProcess("gateway", settings, **nowhere) as gateway:
        async with reading(gateway, "c") as reader:
            assert reader.hello["snapshot"] is None
            await reader.client.say("1")
            await reader.until("ack")
            await reader.until("transcript_update")
            await reader.client.send("state_update", "2", state="listening")
            (error,) = await reader.until("error")
            assert (error["code"], error["retryable"]) == ("state_unknown", True)
            last = reader.durable()[-1][0]
        async with reading(gateway, "c", position=last) as again:
            status, *_ = await again.until("connection_status")
            # What memory holds needs no database.
            assert status["recovered"] is True


async def test_a_copy_of_what_passed_before_anybody_listened_is_not_sent_on(
    settings: Settings, gateway: ServiceProcess
) -> None:
    producer = Producer(settings)
    await producer.start()
    try:
        said = outgoing(settings, message("c", "m"))
        await producer.send(said)
        async with reading(gateway, "c") as reader:
            await producer.send(said)
            await producer.send(outgoing(settings, message("c", "n")))
            (seen,) = await reader.until("transcript_update")
            assert seen["id"] == "n"
    finally:
        await producer.stop()
