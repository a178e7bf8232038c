"""More partitions for the events topic: tables and segments unchanged, and all goes on."""

import asyncio
import signal
from subprocess import PIPE
from typing import Any
from uuid import UUID

import pytest
from aiokafka.errors import MessageSizeTooLargeError

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
from tests.support.processes import ServiceProcess, environment, start
from tests.support.views import view
from tests.support.wait import eventually

pytestmark = pytest.mark.integration

DYING = "tests.integration.incarnations.dying_command"
GROW = ("topics", "grow", "events", "--partitions", "6")
MOMENTS = ("closed", "created", "sent:1", "sent:9", "sent:23", "compared", "switched")


def successor(settings: Settings, partitions: int = 6) -> Settings:
    """The settings that the command tells everybody to use then."""
    names = {Topic.EVENTS.value: "parley.events.v1-2"}
    return settings.model_copy(update={"topic_names": names, "partitions": partitions})


def die(settings: Settings, moment: str, *words: str) -> None:
    """Run the command until a moment at which it kills itself."""
    dying = environment(settings, DIE_AT=moment)
    with start(DYING, *words, env=dying, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        _, stderr = process.communicate()
    assert process.returncode == -signal.SIGKILL, (moment, stderr.decode())


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
    for stretch in ((), ("--since", "1h")):
        ended = await asyncio.to_thread(Command(grown), "ledger", *stretch)
        assert ended.returncode == 0, ended.stdout.decode()


@pytest.mark.long
async def test_killed_after_any_step_it_goes_on(settings: Settings, pool: Any) -> None:
    talk = Talk(settings)
    with services(settings):
        await talk.go_on(1_000)
        await at_rest(settings, pool)
    before, places = await view(pool), await positions(pool)
    for moment in MOMENTS:
        await asyncio.to_thread(die, settings, moment, *GROW)
    ended = await asyncio.to_thread(Command(settings), *GROW)
    assert ended.returncode == 0, said(ended)
    assert (await view(pool), await positions(pool)) == (before, places)
    grown = successor(settings)
    talk.settings = grown
    with services(grown):
        await talk.go_on(200)
        await at_rest(grown, pool)
    await assert_all_is_well(grown, pool, talk)


async def test_aborted_the_topic_is_as_it_was(settings: Settings, pool: Any) -> None:
    talk = Talk(settings)
    with services(settings, "persister", "sealer"):
        await talk.go_on(300)
        await at_rest(settings, pool, "persister", "sealer")
        await asyncio.to_thread(die, settings, "sent:2", *GROW)
        # Nobody is told that something is durable while the topic is copied.
        with pytest.raises(MessageSizeTooLargeError):
            await talk.go_on(25)
        del talk.said[:]
        ended = await asyncio.to_thread(Command(settings), "topics", "grow", "events", "--abort")
        assert ended.returncode == 0, said(ended)
        await talk.go_on(100)
        await at_rest(settings, pool, "persister", "sealer")
    stored = {row["event_id"] for row in await positions(pool)}
    assert {UUID(one.event_id) for one in talk.said} <= stored


async def test_a_service_with_the_former_name_says_so_and_reads_nothing(
    settings: Settings, pool: Any
) -> None:
    talk = Talk(settings)
    with services(settings, "persister", "sealer"):
        await talk.go_on(100)
        await at_rest(settings, pool, "persister", "sealer")
        ended = await asyncio.to_thread(Command(settings), *GROW)
        assert ended.returncode == 0, said(ended)
    fences = await pool.fetch("SELECT * FROM fences ORDER BY consumer, partition")
    with ServiceProcess("persister", settings, probe="/livez") as former:

        async def has_stopped() -> bool:
            return "this database follows" in former.output

        await eventually(has_stopped)
    now = await pool.fetch("SELECT * FROM fences WHERE topic LIKE '%events%'")
    assert {row["topic"] for row in now} == {successor(settings).topic(Topic.EVENTS)}
    assert sum(row["next_offset"] for row in now) == sum(
        row["next_offset"] for row in fences if "events" in row["topic"]
    )


async def test_seals_and_verdicts_can_be_grown_too(settings: Settings, pool: Any) -> None:
    talk = Talk(settings)
    with services(settings):
        await talk.go_on(400)
        await at_rest(settings, pool)
        before = await view(pool)
        for name in ("seals", "analyses"):
            command = Command(settings)
            ended = await asyncio.to_thread(command, "topics", "grow", name, "--partitions", "5")
            assert ended.returncode == 0, said(ended)
    names = {Topic.SEALS.value: "parley.seals.v1-2", Topic.ANALYSES.value: "parley.analyses.v1-2"}
    grown = settings.model_copy(update={"topic_names": names})
    assert await view(pool) == before
    talk.settings = grown
    with services(grown):
        await talk.go_on(400)
        await at_rest(grown, pool)
    await assert_all_is_well(grown, pool, talk)
