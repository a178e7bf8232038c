"""A record that a table refuses although it is valid: everybody drops it, and it may come again."""

import asyncio
from typing import Any

import pytest

from parley.settings import Settings
from parley.topics import Topic
from tests.integration.gateway.clients import connected
from tests.integration.gateway.readers import reading
from tests.support.command import Command
from tests.support.processes import ServiceProcess
from tests.support.topics import read_records
from tests.support.wait import eventually

pytestmark = pytest.mark.integration


async def redrive(settings: Settings, pool: Any) -> None:
    """Mend the table and publish the refused records anew."""
    await pool.execute("ALTER TABLE conversation_messages DROP CONSTRAINT picky")
    await pool.execute("DROP TRIGGER picky ON conversation_events")
    ended = await asyncio.to_thread(
        Command(settings), "dead-letters", "redrive", "--reason", "refused", "--yes"
    )
    assert ended.returncode == 0, ended.stderr.decode()


async def make_picky(pool: Any) -> None:
    """Tables that refuse a message's text, and the wish to listen."""
    await pool.execute(
        "ALTER TABLE conversation_messages ADD CONSTRAINT picky CHECK (content <> 'refuse me')"
    )
    await pool.execute(
        "CREATE FUNCTION picky() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$"
    )
    await pool.execute(
        "CREATE TRIGGER picky BEFORE INSERT ON conversation_events FOR EACH ROW "
        "WHEN (NEW.kind = 'state_requested') EXECUTE FUNCTION picky()"
    )


async def test_a_gateway_drops_what_a_table_refused_and_shows_it_when_it_comes_again(
    settings: Settings, pool: Any
) -> None:
    await make_picky(pool)
    with ServiceProcess("gateway", settings) as gateway, ServiceProcess("persister", settings):
        async with reading(gateway, "c") as page:
            await page.client.say("0", "first")
            await page.until("transcript_update")
            start = page.durable()[0][0]
            await page.client.say("1", "kept")
            await page.client.say("2", "refuse me")
            await page.client.send("state_update", "3", state="listening")
            await page.until("transcript_update", 3)
            # First the transition; then, once it was refused, where the conversation really is.
            first, second = await page.until("state_update", 2)
            assert (first["state"], second["state"]) == ("listening", "idle")
            assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 2
            async with reading(gateway, "c", position=start) as again:
                await again.client.say("4", "after")
                await again.until("transcript_update", 2)
                assert [one["text"] for one in again.payloads("transcript_update")] == [
                    "kept",
                    "after",
                ]
            await eventually(lambda: is_known(settings, pool))
            await redrive(settings, pool)
            shown = await page.until("transcript_update", 5)
            assert shown[-1]["text"] == "refuse me"
            (*_, third) = await page.until("state_update", 3)
            assert third["state"] == "listening"
        async with connected(gateway, "c") as late:
            assert (await late.hello())["snapshot"]["state"] == "listening"


async def is_known(settings: Settings, pool: Any) -> bool:
    """Whether the persister has read everything, also what followed from its refusals."""
    read = await pool.fetchval(
        "SELECT sum(next_offset) FROM fences WHERE consumer = 'persister' AND topic = $1",
        settings.topic(Topic.EVENTS),
    )
    return bool(read == len(await read_records(settings, Topic.EVENTS)))
