"""More partitions for the events topic: tables and segments unchanged, and all goes on."""

import asyncio
from random import Random
from typing import Any

import pytest

from parley.settings import Settings
from parley.topics import Topic
from tests.integration.incarnations.world import (
    Talk,
    assert_all_is_well,
    at_rest,
    published,
    replayed,
    services,
    told,
)
from tests.support.command import Command, said
from tests.support.views import view

pytestmark = pytest.mark.integration

GROW = ("topics", "grow", "events", "--partitions", "6")
KILLS = 6


def successor(settings: Settings, partitions: int = 6) -> Settings:
    """The settings that the command tells everybody to use then."""
    names = {Topic.EVENTS.value: "parley.events.v1-2"}
    return settings.model_copy(update={"topic_names": names, "partitions": partitions})


async def positions(pool: Any) -> list[Any]:
    """Where the tables say that everything lies."""
    found: list[Any] = await pool.fetch(
        "SELECT event_id, incarnation, partition, log_offset, append_time, is_granted "
        "FROM conversation_events ORDER BY event_id"
    )
    return found


async def test_grown_from_four_to_six_the_tables_are_unchanged_and_everything_goes_on(
    settings: Settings, pool: Any
) -> None:
    talk = Talk(settings)
    with services(settings):
        await talk.go_on(600)
        await at_rest(settings, pool)
        before, places = await view(pool), await positions(pool)
        ended = await asyncio.to_thread(Command(settings), *GROW)
        assert ended.returncode == 0, said(ended)
        assert "PARLEY_TOPIC_NAMES=" in said(ended)
        assert await view(pool) == before
    assert await positions(pool) == places
    grown = successor(settings)
    assert told(await replayed(grown)) == told(await published(grown))
    talk.settings = grown
    with services(grown):
        await talk.go_on(600)
        await at_rest(grown, pool)
    await assert_all_is_well(grown, pool, talk)


async def test_killed_at_any_moment_it_goes_on(settings: Settings, pool: Any) -> None:
    talk, chance = Talk(settings), Random(11)
    with services(settings):
        await talk.go_on(1500)
        await at_rest(settings, pool)
        before = await view(pool)
    command = Command(settings)
    for _ in range(KILLS):
        process = command.start(*GROW)
        await asyncio.sleep(chance.uniform(0.6, 2.5))
        process.kill()
        await asyncio.to_thread(process.communicate)
    ended = await asyncio.to_thread(command, *GROW)
    assert ended.returncode == 0, said(ended)
    assert await view(pool) == before
    grown = successor(settings)
    talk.settings = grown
    with services(grown):
        await talk.go_on(200)
        await at_rest(grown, pool)
    await assert_all_is_well(grown, pool, talk)
